import type { Column, Output } from '../core/rules/compile.js';

/** An output of a rule set, found once per distinct input: a click costs look-ups of integers. */
export interface MemoisedOutput {
  /** The id of what the output gives to the click whose fields have texts with these ids. */
  of(ids: Int32Array): number;
  /** About what it holds. */
  readonly bytes: number;
  /** Forgets everything; the ids mean other texts from now on. */
  clear(): void;
}

/** What an output is made of: fields are numbered, and so are the texts of each. */
export interface OutputSources {
  readonly columns: readonly Column[];
  /** The number of the field that a column is of. */
  readonly fieldAt: (column: number) => number;
  readonly textOf: (field: number, id: number) => string;
  /** The id of what the output gave. */
  readonly idOf: (text: string) => number;
}

export function memoised(output: Output, sources: OutputSources): MemoisedOutput {
  return output.columns.length === 1
    ? new OfOneField(output, sources)
    : new OfSeveralFields(output, sources);
}

/** Most dimensions: the answer stands at the id of the field's text. */
class OfOneField implements MemoisedOutput {
  private answers: (number | undefined)[] = [];
  private readonly field: number;
  private readonly column: Column;

  constructor(
    private readonly output: Output,
    private readonly sources: OutputSources,
  ) {
    this.field = sources.fieldAt(output.columns[0]!);
    this.column = sources.columns[output.columns[0]!]!;
  }

  of(ids: Int32Array): number {
    const id = ids[this.field]!;
    return this.answers[id] ?? this.firstSight(id);
  }

  get bytes(): number {
    return this.answers.length * 8;
  }

  clear(): void {
    this.answers = [];
  }

  private firstSight(id: number): number {
    const text = this.column.of(this.sources.textOf(this.field, id));
    const answer = this.sources.idOf(this.output.of([text]));
    this.answers[id] = answer;
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
    private readonly textOf: OutputSources['textOf'],
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
    const text = this.column.of(this.textOf(this.field, fieldId));
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
    const { columns, fieldAt, textOf } = sources;
    this.columns = output.columns.map(
      (column) => new ColumnIds(fieldAt(column), columns[column]!, textOf),
    );
    this.pairs = this.columns.map(() => new Map<number, number>());
  }

  of(ids: Int32Array): number {
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
