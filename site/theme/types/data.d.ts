// What the scripts share: the one global `ishtar`, to which each script's own .d.ts adds what it
// offers, and the shapes of the data files that several of them read.

interface Ishtar {
  /** Called by a data file when it has loaded. */
  data(path: string, value: unknown): void;
  /** Load a data file by its path in the site, without its suffix. */
  load(path: string): Promise<any>;
  /** Forget what was loaded, so that its memory is free. */
  unload(path: string): void;

  // dom.js
  el(tag: string, properties?: Record<string, any> | null, ...children: any[]): any;
  svg(tag: string, attributes: Record<string, string | number>, ...children: (Node | string)[]): SVGElement;
  breakable(name: string): (string | HTMLElement)[];
  stateMark(state: string, title: string, href?: string): HTMLElement;
  place: {
    read(): { text(name: string): string; list(name: string): string[]; has(name: string): boolean };
    text(state: Record<string, string | string[] | undefined>): string;
    write(state: Record<string, string | string[] | undefined>, step: boolean): void;
    follow(read: () => void): void;
  };
  afterPause(action: () => void, ms: number): () => void;

  // numbers.js
  numbers: {
    number(value: number, sigma?: number | null): string;
    unitText(unit: string): string;
    [name: string]: any;
  };
}

declare var ishtar: Ishtar;

/** `data/index` */
interface SiteIndex {
  facility: string;
  /** `1-12,15` */
  shots: string;
  days: string[];
  shard: number;
  shards: number[];
  templates: { name: string; title: string; scope: string }[];
  scraps: { template: string; name: string; unit: string; key: boolean }[];
  signals: { name: string; unit: string }[];
  parquet: string | null;
}
