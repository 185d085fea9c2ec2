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
  stateWord(state: string): string;
  icon(name: string): SVGElement;
  symbol(symbol: string): HTMLElement;
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
    /** The unit and format of a column of values. */
    scaleOf(values: Iterable<any>, unit: string): NumberScale;
    cell(value: any, sigma: number | null | undefined, unit: string, scale: NumberScale, signed?: boolean | null): string;
    quantity(value: any, sigma: number | null | undefined, unit: string, signed?: boolean | null): string;
    [name: string]: any;
  };
}

declare var ishtar: Ishtar;

/** Values are divided by ten to this power; the unit is as it is printed, `MHz` or `10¹⁷ m⁻³`. */
interface NumberScale { power: number; unit: string }

/** `data/index` */
interface SiteIndex {
  facility: string;
  /** `1-12,15` */
  shots: string;
  days: string[];
  shard: number;
  shards: number[];
  templates: { name: string; title: string; scope: string }[];
  scraps: IndexedScrap[];
  signals: { name: string; unit: string }[];
  attributes: string[];
  parquet: string | null;
  /** where raw data are, null where they are not published */
  archive?: object | null;
}

/** A result of a template, over all shots. */
interface IndexedScrap {
  template: string;
  name: string;
  unit: string;
  /** whether tables show it where nobody chose columns */
  key: boolean;
  /** `electron temperature` and `T_e`; empty where nobody said */
  label: string;
  symbol: string;
  /** its place among the results of all templates; null where neither settings nor the template give it one */
  place: number | null;
  /** its place among the key results of its template */
  rank: number;
  /** whether it can be below zero; null: as its unit suggests */
  signed: boolean | null;
}
