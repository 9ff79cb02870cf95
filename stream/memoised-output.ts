import type { ClickView } from '../core/click/view.js';
import type { Column, Output } from '../core/rules/compile.js';
import type { FieldTexts } from './field-texts.js';
import { ShortTexts } from './short-texts.js';

/** An output of a rule set, found once per distinct input: a click costs look-ups of integers. */
export interface MemoisedOutput {
  /**
   * The id of what the output gives to a click. `ids`: of the texts of those of its fields that
   * several outputs read.
   */
  of(view: ClickView, ids: Int32Array): number;
  /** About what texts have taken so far. */
  readonly bytes: number;
  /** Forgets everything; the ids mean other texts from now on. */
  clear(): void;
}

/** What an output is made of: fields are numbered, and so are the texts of each. */
export interface OutputSources {
  readonly columns: readonly Column[];
  /** The number of the field that a column is of. */
  readonly fieldAt: (column: number) => number;
  readonly texts: readonly FieldTexts[];
  /** Whether several outputs read the field: its text is looked for once a click, before them. */
  readonly shared: readonly boolean[];
  /** The id of what the output gave. */
  readonly idOf: (text: string) => number;
}

export function memoised(output: Output, sources: OutputSources): MemoisedOutput {
  if (output.columns.length !== 1) return new OfSeveralFields(output, sources);
  const field = sources.fieldAt(output.columns[0]!);
  const inView = sources.texts[field]!.field;
  return sources.shared[field]! || inView === null
    ? new OfOneField(output, sources)
    : new OfOwnField(output, sources, inView);
}

/** The answer stands at the id of the field's text. */
class OfOneField implements MemoisedOutput {
  protected answers: (number | undefined)[] = [];
  protected readonly field: number;
  private readonly column: Column;

  constructor(
    private readonly output: Output,
    private readonly sources: OutputSources,
  ) {
    this.field = sources.fieldAt(output.columns[0]!);
    this.column = sources.columns[output.columns[0]!]!;
  }

  of(_view: ClickView, ids: Int32Array): number {
    const id = ids[this.field]!;
    return this.answers[id] ?? this.firstSight(id);
  }

  get bytes(): number {
    return this.answers.length * 8;
  }

  clear(): void {
    this.answers = [];
  }

  protected firstSight(id: number): number {
    const { texts, idOf } = this.sources;
    const text = this.column.of(texts[this.field]!.text(id));
    const answer = idOf(this.output.of([text]));
    this.answers[id] = answer;
    return answer;
  }
}

/** Most dimensions: of a field that no other output reads, the text is looked for here. */
class OfOwnField extends OfOneField {
  private readonly short = new ShortTexts();
  private readonly texts: FieldTexts;

  constructor(
    output: Output,
    sources: OutputSources,
    private readonly inView: number,
  ) {
    super(output, sources);
    this.texts = sources.texts[this.field]!;
  }

  override of(view: ClickView): number {
    const start = view.fieldStart[this.inView]!;
    if (start < 0) return this.long(view);
    const known = this.short.find(view.source, start, view.fieldEnd[this.inView]!);
    return known < 0 ? this.long(view) : known;
  }

  override clear(): void {
    super.clear();
    this.short.clear();
  }

  private long(view: ClickView): number {
    const id = this.texts.idOf(view);
    const answer = this.answers[id] ?? this.firstSight(id);
    const start = view.fieldStart[this.inView]!;
    if (start >= 0) this.short.remember(view.source, start, view.fieldEnd[this.inView]!, answer);
    return answer;
  }
}

/** A column's texts as small integers, by the ids of its field's. */
class ColumnIds {
  private ids: (number | undefined)[] = [];
  private known = new Map<string, number>();
  private texts: string[] = [];

  constructor(
    readonly field: number,
    private readonly column: Column,
    private readonly fieldTexts: FieldTexts,
  ) {}

  idOf(fieldId: number): number {
    return this.ids[fieldId] ?? this.firstSight(fieldId);
  }

  text(id: number): string {
    return this.texts[id]!;
  }

  get bytes(): number {
    return this.ids.length * 8 + this.texts.length * TEXT_BYTES;
  }

  clear(): void {
    this.ids = [];
    this.known = new Map();
    this.texts = [];
  }

  private firstSight(fieldId: number): number {
    const text = this.column.of(this.fieldTexts.text(fieldId));
    let id = this.known.get(text);
    if (id === undefined) {
      id = this.texts.push(text) - 1;
      this.known.set(text, id);
    }
    this.ids[fieldId] = id;
    return id;
  }
}

/** What a short text costs as an entry of a map and of an array. */
const TEXT_BYTES = 128;
/** What a number costs as an entry of a map. */
const ENTRY_BYTES = 48;
/** Ids of one column stay below it: each takes memory of its own, which is bounded. */
const IDS_MAX = 2 ** 26;

/**
 * Combinations of the texts of several columns: the ids of the first two make a pair, which has an
 * id of its own, and so on.
 */
class OfSeveralFields implements MemoisedOutput {
  private readonly columns: readonly ColumnIds[];
  private readonly pairs: Map<number, number>[];
  private answers: (number | undefined)[] = [];
  private combinations = 0;

  constructor(
    private readonly output: Output,
    private readonly sources: OutputSources,
  ) {
    const { columns, fieldAt, texts } = sources;
    this.columns = output.columns.map(
      (column) => new ColumnIds(fieldAt(column), columns[column]!, texts[fieldAt(column)]!),
    );
    this.pairs = this.columns.map(() => new Map<number, number>());
  }

  of(_view: ClickView, ids: Int32Array): number {
    const { columns, pairs } = this;
    let combination = 0;
    for (let i = 0; i < columns.length; i++) {
      const column = columns[i]!;
      const key = combination * IDS_MAX + column.idOf(ids[column.field]!);
      let next = pairs[i]!.get(key);
      if (next === undefined) {
        next = ++this.combinations;
        pairs[i]!.set(key, next);
      }
      combination = next;
    }
    return this.answers[combination] ?? this.firstSight(combination, ids);
  }

  get bytes(): number {
    const own = this.combinations * ENTRY_BYTES + this.answers.length * 8;
    return this.columns.reduce((sum, { bytes }) => sum + bytes, own);
  }

  clear(): void {
    for (const column of this.columns) column.clear();
    for (const pairs of this.pairs) pairs.clear();
    this.answers = [];
    this.combinations = 0;
  }

  private firstSight(combination: number, ids: Int32Array): number {
    const texts = this.columns.map((column) => column.text(column.idOf(ids[column.field]!)));
    const answer = this.sources.idOf(this.output.of(texts));
    this.answers[combination] = answer;
    return answer;
  }
}
