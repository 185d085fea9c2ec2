// The pages across shots: what their scripts offer each other, and the shapes of their data files.

interface Ishtar {
  archive: {
    open(): Promise<ShotArchive>;
    folder(shot: number): string;
    reportPage(shot: number, template: string): string;
    numbersOf(spans: string): number[];
  };
  filter: {
    of(text: string, archive: ShotArchive): ShotFilter;
    folded(text: unknown): string;
    upgraded(text: string, archive: ShotArchive): string;
  };
  query: {
    MOMENT: RegExp;
    NAME: RegExp;
    KEYWORD: RegExp;
    SIGNS: RegExp;
    Problem: new (message: string, at: number, end: number) => Error & QueryPlace;
    moment(place: QueryPlace, written: string): QueryNode;
    named(node: QueryNode): QueryName;
    parse(text: string): QueryNode;
    parseItem(text: string, value: QueryValue): QueryItem | null;
    wrong(message: string, place: QueryPlace): never;
  };
  columns: {
    all(archive: ShotArchive): TableColumn[];
    csv(archive: ShotArchive, columns: TableColumn[], rows: number[]): string;
    isMissing(value: unknown): boolean;
    isNumeric(archive: ShotArchive, column: TableColumn, rows: number[]): boolean;
    order(archive: ShotArchive, id: string, down: boolean): (a: number, b: number) => number;
    scale(archive: ShotArchive, column: TableColumn, rows: number[]): NumberScale;
    states(archive: ShotArchive, i: number): { ok: number; all: number; exceptions: { template: ShotTemplate; state: string; named: boolean }[]; missing: string[]; more: number };
    text(archive: ShotArchive, column: TableColumn, i: number, scale: NumberScale): string;
    unitText(unit: string): string;
    usual(archive: ShotArchive): string[];
    width(archive: ShotArchive, column: TableColumn, rows: number[], scale: NumberScale): number;
  };
  cells: {
    cell(archive: ShotArchive, column: TableColumn, i: number, scale: NumberScale): HTMLElement;
    head(
      column: TableColumn,
      scale: NumberScale,
      isNumber: boolean,
      sorted: "" | "up" | "down",
      sort: (column: TableColumn) => void,
    ): HTMLElement;
  };
  rowBox(
    box: HTMLElement,
    table: HTMLTableElement,
    makeRow: (i: number) => HTMLTableRowElement,
    seen: (first: number, last: number) => void,
  ): RowBox;
  colours: {
    scale(part: number): string;
    kind(k: number): Look;
    isDark(): boolean;
    MOST_KINDS: number;
  };
  axis(of: ScatterAxis, values: { at: number; sigma: number | null }[]): Axis;
  scatter(box: HTMLElement): (plot: Scatter | null) => void;
  plot: {
    canBeLog(column: TableColumn | undefined): boolean;
    options(archive: ShotArchive, columns: TableColumn[], none: string): HTMLElement[];
    plotOf(box: HTMLElement, archive: ShotArchive): (axes: PlotAxes, rows: number[]) => void;
  };
  differences: {
    APART: number;
    against(a: ShotScrap | undefined, b: ShotScrap | undefined): { by: string; differs: boolean };
    attributes(shots: ShotData[]): ComparedRow[];
    components(shots: ShotData[]): { rows: ComparedRow[]; same: number };
    reports(shots: ShotData[]): ComparedReport[];
    results(shots: ShotData[], keys: string[], known?: Map<string, ScrapColumn>): { key: ComparedRow[]; others: ComparedRow[] };
    wiring(shots: ShotData[]): { rows: ComparedRow[]; same: number };
  };
  ranking: {
    wordsOf(query: string): string[];
    find(entries: Iterable<SearchEntry>, words: string[]): SearchHit[];
    cut(text: string, words: string[]): { text: string; found: boolean }[];
  };
}

interface ShotTemplate { name: string; title: string; scope: string; slug?: string }
interface ScrapColumn extends IndexedScrap { id: string }

/** A column of all shots; undefined where it is not loaded yet, null where a shot has none. */
interface StoredColumn {
  values: any[];
  sigmas: (number | null | undefined)[];
  /** Units of shots that have another than the column. */
  units: Map<number, string>;
}

interface ShotArchive {
  index: SiteIndex;
  /** Ascending; the place of a shot in it is its index everywhere else. */
  shots: number[];
  at: Map<number, number>;
  scraps: ScrapColumn[];
  byId: Map<string, ScrapColumn>;
  templates: ShotTemplate[];
  /** names of what shots are described by */
  attributes: string[];
  columns: Map<string, StoredColumn>;
  readonly parts: number[];
  part(i: number): number;
  has(part: number, templates: Iterable<string>): boolean;
  load(parts: number[], templates: string[], progress?: (done: number, of: number) => void): Promise<void>;
  value(id: string, i: number): any;
  sigma(id: string, i: number): number | null;
}

/** Where something stands in the text of a query. */
interface QueryPlace { at: number; end: number }
interface QueryToken extends QueryPlace { kind: string; text: string; unit: string }
interface QueryName extends QueryPlace { is: "name"; name: string }
interface QueryValue extends QueryPlace { text: string; isQuoted: boolean }
/** A value, or the two ends of a range. */
type QueryItem = QueryNode | [QueryNode, QueryNode];
type QueryNode = QueryName | QueryPlace & (
  | { is: "number"; value: number; unit: string }
  | { is: "text"; value: string }
  | { is: "date"; text: string }
  | { is: "latest" }
  | { is: "sum"; first: QueryNode; rest: [string, QueryNode][] }
  | { is: "call"; name: string; of: QueryNode }
  | { is: "and" | "or"; of: QueryNode[] }
  | { is: "not" | "missing"; of: QueryNode }
  | { is: "truth"; of: QueryNode; isAlone: boolean }
  | { is: "words"; words: string[] }
  | { is: "part"; of: QueryNode; whole: QueryNode }
  | { is: "among"; term: QueryNode; items: QueryItem[] }
  | { is: "compare"; left: QueryNode; operator: string; right: QueryNode }
  | { is: "loose"; name: QueryName; operator: string; value: QueryValue }
);
interface QueryField { id: string; unit: string; isDate: boolean; isDay: boolean; isText: boolean; isSigma: boolean }
interface QueryTerm { number: ((i: number) => number | null) | null; text: ((i: number) => string | null) | null }

/**
 * `problem` says in plain words what cannot be understood, from `at` to `end`; empty where all can. `check` says what
 * is wrong with it once all shots are loaded.
 */
interface ShotFilter extends QueryPlace {
  test(i: number): boolean | null;
  fields: string[];
  isSet: boolean;
  problem: string;
  check(): { problem: string; at: number; end: number } | null;
}

interface TableColumn {
  id: string;
  title: string;
  kind: "shot" | "date" | "text" | "reports" | "scrap";
  unit: string;
  template: string;
  /** What a click on its head sorts by; empty where nothing does. */
  sorts: string;
  /** Of a result, what it is in words, its symbol where no other has the same, and whether it can be below zero. */
  label: string;
  symbol: string;
  signed: boolean | null;
}

interface RowBox {
  /** Show other rows. */
  show(rows: number[]): void;
  /** Draw those of some shots again, from what is known now. */
  redrawSome(wanted: (i: number) => boolean): void;
}

interface Look { colour: string; shape: string }
interface ScatterPoint extends Look { i: number; x: number; y: number; sx: number | null; sy: number | null }
interface ScatterAxis { label: string; isTime: boolean; isWhole: boolean; isLog: boolean }
/** `part` is where on the axis a value is, from 0 to 1. */
interface Axis { part(v: number): number; ticks(most: number): { at: number; text: string }[] }
/** Ids of columns; `log` has the names of the axes that are logarithmic. */
interface PlotAxes { x: string; y: string; c: string; log: string[] }
interface Scatter {
  points: ScatterPoint[];
  x: ScatterAxis;
  y: ScatterAxis;
  /** What is drawn, in words. */
  about: string;
  read(i: number): string;
  open(i: number): void;
}

/** `shots/NNNNN/shot` */
interface ShotData {
  shot: number;
  date: string | null;
  attributes: Record<string, any>;
  problems: string[];
  reports: ShotReport[];
  wiring: Record<string, string>[];
  components: { name: string; kind: string; parameters: Record<string, string> }[];
}
interface ShotReport {
  template: string;
  title?: string;
  state: string;
  html: string;
  figures: { file: string; width: number; height: number; alt: string }[];
  scraps: ShotScrap[];
}
interface ShotScrap { name: string; value: any; sigma: any; unit: string }

interface ComparedCell { text: string; by: string }
interface ComparedRow { name: string; symbol?: string; id?: string; title: string; cells: ComparedCell[]; differs: boolean }
interface ComparedReport { template: string; title: string; reports: (ShotReport | undefined)[] }

/** An entry of `data/search`, or a shot. `looks` is what is compared, made when first needed. */
interface SearchEntry {
  kind: string;
  title: string;
  text: string;
  href: string;
  shot?: number;
  looks?: { title: string; text: string };
}
interface SearchHit { entry: SearchEntry; score: number }
