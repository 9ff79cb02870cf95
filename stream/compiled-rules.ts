import { FIELD_ABSENT } from '../core/click/view.js';
import type { ClickView } from '../core/click/view.js';
import { compileRuleSet } from '../core/rules/compile.js';
import type { CompiledRuleSet } from '../core/rules/compile.js';
import { AD_FIELD } from '../core/rules/rule-set.js';
import type { RuleSet } from '../core/rules/rule-set.js';
import { ABSENT, OTHER } from '../core/rules/value-text.js';
import { ByteInterner } from './interner.js';
import { memoised } from './memoised-output.js';
import type { MemoisedOutput } from './memoised-output.js';

/** Filter texts (`country:US`) as small integers; id 0 is the empty filter, the unfiltered total. */
export class FilterTable {
  readonly texts = new ByteInterner();

  constructor() {
    this.reset();
  }

  idOf(text: string): number {
    const bytes = Buffer.from(text);
    return this.texts.intern(bytes, 0, bytes.length);
  }

  reset(): void {
    this.texts.clear();
    this.idOf('');
  }
}

/** The texts of one field as small integers: 0 is absent, 1 is other, then as they are first seen. */
class FieldTexts {
  private readonly values = new ByteInterner();

  /** `field`: index in the view; null: the ad. */
  constructor(private readonly field: number | null) {}

  idOf(view: ClickView): number {
    const { field, values } = this;
    if (field === null) return 2 + values.intern(view.source, view.adStart, view.adEnd);
    const start = view.fieldStart[field]!;
    if (start < 0) return start === FIELD_ABSENT ? 0 : 1;
    return 2 + values.intern(view.source, start, view.fieldEnd[field]!);
  }

  text(id: number): string {
    if (id < 2) return id === 0 ? ABSENT : OTHER;
    return this.values.toString(id - 2);
  }

  get bytes(): number {
    return this.values.bytes;
  }

  clear(): void {
    this.values.clear();
  }
}

/** A cap as the hot path needs it. */
export interface StreamCap {
  /** Index of its field in the view. */
  readonly field: number;
  readonly max: number;
  /** Index in `reasons`. */
  readonly reason: number;
}

/** A rule set made ready for the hot path. `fields` are the decoder's, in its order. */
export class CompiledRules {
  /** Why clicks are not counted; index 0 stands for none. */
  readonly reasons: readonly string[];
  readonly caps: readonly StreamCap[];
  private readonly texts: readonly FieldTexts[];
  /** Of the click in hand, the id of each field's text. */
  private readonly ids: Int32Array;
  private readonly dimensions: readonly MemoisedOutput[];
  private readonly verdict: MemoisedOutput | null;

  constructor(
    readonly hash: string,
    ruleSet: RuleSet,
    fields: readonly string[],
    table: FilterTable,
  ) {
    const compiled = compileRuleSet(ruleSet);
    const used = [...new Set(compiled.columns.map(({ field }) => field))];
    this.texts = used.map(
      (field) => new FieldTexts(field === AD_FIELD ? null : fields.indexOf(field)),
    );
    this.ids = new Int32Array(used.length);
    const reasons = ['', ...new Set((ruleSet.filters ?? []).map(({ reason }) => reason))];
    this.reasons = reasons;
    const memo = (output: CompiledRuleSet['dimensions'][number], idOf: (text: string) => number) =>
      memoised(output, {
        columns: compiled.columns,
        fieldAt: (column) => used.indexOf(compiled.columns[column]!.field),
        textOf: (field, id) => this.texts[field]!.text(id),
        idOf,
      });
    this.dimensions = compiled.dimensions.map((one) => memo(one, (text) => table.idOf(text)));
    this.verdict = compiled.verdict && memo(compiled.verdict, (reason) => reasons.indexOf(reason));
    this.caps = compiled.caps.map(({ field, max, reason }) => ({
      ...{ field: fields.indexOf(field), max },
      reason: reasons.indexOf(reason),
    }));
  }

  /**
   * Writes one filter id per dimension to `out[at…]`, and -1 where `width` is more than those.
   * Returns the index of the reason why the click is not counted, 0 for none; caps are not asked.
   */
  judge(view: ClickView, out: Int32Array, at: number, width: number): number {
    const { texts, ids, dimensions, verdict } = this;
    for (let i = 0; i < ids.length; i++) ids[i] = texts[i]!.idOf(view);
    const n = dimensions.length;
    for (let i = 0; i < n; i++) out[at + i] = dimensions[i]!.of(ids);
    for (let i = n; i < width; i++) out[at + i] = -1;
    return verdict === null ? 0 : verdict.of(ids);
  }

  get bytes(): number {
    const outputs = [...this.dimensions, ...(this.verdict === null ? [] : [this.verdict])];
    return [...this.texts, ...outputs].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Forgets all texts; after the filter table was reset. */
  reset(): void {
    for (const texts of this.texts) texts.clear();
    for (const dimension of this.dimensions) dimension.clear();
    this.verdict?.clear();
  }
}
