// The trace viewer: the shapes of its data, and what its scripts offer each other.

type UPlot = import("uplot");
declare var uPlot: typeof import("uplot");

interface Ishtar {
  blocks: Blocks;
  packs: Packs;
  curves: Curves;
  /** how places along an axis are written, by the unit of what it is: `s`, `Hz`, "" for numbers of samples */
  along(unit: string): Along;
  view: Views;
  picker(options: PickerOptions): Picker;
  tracePlot(options: PlotOptions): TracePlot;
  readings: Readings;
  viewer: Viewer;
  MOST_SHOTS: number;
  /** the colour of the k-th shot, as a small square */
  swatch(k: number): HTMLElement;
}

/** [from, to] in seconds; in the unit of the axis, where that is not time */
type Span = readonly [number, number];

interface TraceLevel {
  stride: number;
  bins: number;
  /** of all its blocks */
  bytes: number;
}

/** The values of codes 0 … n - 1, which never fall; evenly spaced in a straight one, else of so many bytes each in the head, 4 if not stated. */
interface TraceLadder { lo: number; hi: number; n: number; straight: boolean; bytes: number }

/** A signal in `shots/NNNNN/traces/index`. */
interface TraceSignal {
  name: string;
  unit: string;
  /** its file, which place in it its pack begins at, and how long the file is */
  pack: string;
  at: number;
  size: number;
  /** bins of a block */
  block: number;
  /** bytes of the head of the pack */
  head: number;
  ladder: TraceLadder | null;
  irregular: boolean;
  /** of what the samples lie along: `s`; `Hz`; "" where they are only counted */
  x_unit: string;
  /** of the first sample; null where they are only counted */
  x0: number | null;
  /** null where the sampling is irregular, too */
  dx: number | null;
  n: number;
  levels: TraceLevel[];
  problem: string;
}

interface TraceIndex { format: number; shot: number; signals: TraceSignal[] }

interface TraceHead {
  /** bytes of each block, by level */
  sizes: number[][];
  /** where each block begins after t0, by level; null where the sampling is regular */
  starts: number[][] | null;
  /** the value of a code; null where each block has its own */
  value: ((code: number) => number) | null;
}

interface TraceBlock {
  n: number;
  low: Uint16Array;
  /** the same as `low` at a stride of 1 */
  high: Uint16Array;
  /** times relative to t0, where the sampling is irregular */
  times: Float64Array | null;
  value(code: number): number;
}

interface Blocks {
  head(content: Uint8Array, signal: TraceSignal): Promise<TraceHead>;
  block(content: Uint8Array, shape: { n: number; single: boolean; irregular: boolean; value: TraceHead["value"] }): Promise<TraceBlock>;
}

/** Where the blocks of a signal come from. */
interface Pack {
  /** bytes to load for blocks first … last of a level */
  cost(level: number, first: number, last: number): number;
  fetch(level: number, first: number, last: number): Promise<void>;
  /** a block that is there */
  block(level: number, k: number): TraceBlock | null;
  starts(level: number): number[] | null;
  /** how many levels can be had here */
  depth(): number;
  /** why these are not all */
  limit(): "" | "disk" | "ranges";
}

interface Packs {
  folder(shot: number): string;
  open(index: TraceIndex, signal: TraceSignal): Pack;
}

/** What is known of one signal of one shot, at one level, in one span. */
interface Piece {
  stride: number;
  n: number;
  /** first time of each point and, at n, of the one behind them */
  time(i: number): number;
  low(i: number): number;
  high(i: number): number;
  /** what one step of the codes is worth at a point */
  step(i: number): number;
}

interface Choice {
  /** index of the level to show */
  level: number;
  /** blocks [first, last] of it in the span */
  first: number;
  last: number;
  /** why it is not finer: "" where it is as fine as the screen needs */
  held: "" | "kept" | "budget" | "disk" | "ranges";
}

interface Curve {
  readonly shot: number;
  readonly signal: TraceSignal;
  /** of what it lies along */
  readonly unit: string;
  /** how far its samples are apart, 0 where that differs */
  readonly each: number;
  /** of the whole signal; with irregular sampling right once the coarsest block is there */
  span(): Span;
  /** the level for a view that is so many pixels wide, or one that is coarser by `drop` levels */
  choose(view: Span, width: number, drop: number): Choice;
  cost(choice: Choice): number;
  /** load what a choice needs; resolves when it is there */
  fetch(choice: Choice): Promise<void>;
  /** what is loaded of a view, as fine as it is, not finer than a level */
  best(finest: number, view: Span): { pieces: Piece[]; stride: number };
}

interface Curves {
  /** the index of a shot, null where it has none */
  index(shot: number): Promise<TraceIndex | null>;
  curve(index: TraceIndex, signal: TraceSignal): Curve;
  /** levels for the curves of each plot that together cost no more than `budget`: all coarser by the same
   * number of levels, then single plots finer again; shots in one plot are always alike */
  plan(plots: Curve[][], view: Span, width: number, budget: number): Choice[][];
}

/** How times are written at some zoom: (t - offset) * scale, in `name`. */
interface TimeUnit { name: string; scale: number; offset: number; label: string }

interface Along {
  /** `Time`, `Frequency`, `Sample` */
  name: string;
  /** the unit that all numbers are in */
  base: string;
  /** the unit of the axis for a view */
  unit(view: Span): TimeUnit;
  /** a time with its unit, with digits that tell neighbours `step` apart */
  text(value: number, step: number): string;
  /** a view as `0.500 to 0.700 s` */
  range(view: Span): string;
  /** a length of it with its unit */
  length(value: number): string;
}

interface PickerItem { value: string; text: string; note: string; disabled: boolean }

interface PickerOptions {
  host: Element;
  label: string;
  hint: string;
  items(): PickerItem[];
  chosen(): ReadonlySet<string>;
  toggle(value: string): void;
}

interface Picker { refresh(): void }

interface Drawn { color: string; pieces: Piece[] }

interface PlotOptions {
  host: HTMLElement;
  /** what it shows, for those who do not see it */
  label: string;
  height: number;
  /** whether it has the axis of all under it */
  last: boolean;
  /** what its horizontal axis is */
  along: Along;
  onSelect(view: Span): void;
  onWhole(): void;
  onCursor(time: number): void;
}

interface TracePlot {
  /** draw curves; returns the power of ten that the axis left out */
  draw(view: Span, curves: Drawn[]): number;
  cursor(time: number): void;
  /** width of the drawing in CSS pixels */
  width(): number;
  resize(height: number): void;
  over(): HTMLElement;
  /** the time under a place on the screen */
  timeAt(clientX: number): number;
  destroy(): void;
}

interface Views {
  /** a view with its middle or `at` held, within the whole, not shorter than `least` */
  zoom(view: Span, at: number, factor: number, whole: Span, least: number): Span;
  pan(view: Span, by: number, whole: Span): Span;
}

/** What a curve is at a time. `low` and `high` are the same at a stride of 1. */
interface Reading { low: number; high: number; step: number; stride: number }

interface Readings {
  at(pieces: Piece[], time: number): Reading | null;
  /** the time of the point `by` points behind that at `time`; null without points */
  next(pieces: Piece[], time: number, by: number): number | null;
  /** `12.31`, or `(−0.28 … 34.22) × 10⁻³`, with the digits that it was kept with */
  text(reading: Reading): string;
  /** `each point is 64 samples (6.4 µs), minimum and maximum` */
  level(stride: number, each: number, along: Along): string;
}

/** What the keys and the mouse do to the page. */
interface Viewer {
  view(): Span;
  /** put what is shown into the address at once */
  settle(): void;
  whole(): Span;
  show(view: Span): void;
  zoom(at: number, factor: number): void;
  pan(share: number): void;
  cursor(): number;
  /** put the cursor at a time; `say` it to those who listen */
  point(time: number, say: boolean): void;
  /** the cursor to another point of the finest curve */
  step(by: number): void;
  plots(): TracePlot[];

  shots(): number[];
  signals(): string[];
  /** all shots of the site */
  known(): number[];
  index(shot: number): TraceIndex | null;
  /** show other shots and signals */
  take(shots: number[], signals: string[]): void;
  /** call when shots or signals have changed */
  follow(listener: () => void): void;
}
