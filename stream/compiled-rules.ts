import type { ClickView } from '../core/click/view.js';
import { compileRuleSet } from '../core/rules/compile.js';
import type { CompiledRuleSet, Output } from '../core/rules/compile.js';
import { AD_FIELD } from '../core/rules/rule-set.js';
import type { RuleSet } from '../core/rules/rule-set.js';
import { FieldTexts } from './field-texts.js';
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
  /** Indices in `texts` of the ad, and of fields that several outputs read, or one of several fields. */
  private readonly shared: readonly number[];
  /** Of the click in hand, the id of the text of each shared field; at its index in `texts`. */
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
    const fieldAt = (column: number): number => used.indexOf(compiled.columns[column]!.field);
    const shared = sharedFields(compiled, fieldAt, used);
    this.shared = [...shared.keys()].filter((field) => shared[field]!);
    const { columns } = compiled;
    const memo = (output: Output, idOf: (text: string) => number): MemoisedOutput =>
      memoised(output, { columns, fieldAt, texts: this.texts, shared, idOf });
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
    const { texts, shared, ids, dimensions, verdict } = this;
    for (let i = 0; i < shared.length; i++) ids[shared[i]!] = texts[shared[i]!]!.idOf(view);
    const n = dimensions.length;
    for (let i = 0; i < n; i++) out[at + i] = dimensions[i]!.of(view, ids);
    for (let i = n; i < width; i++) out[at + i] = -1;
    return verdict === null ? 0 : verdict.of(view, ids);
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

/** Per field, whether it is the ad, or more outputs than one read it, or one of several fields. */
function sharedFields(
  { dimensions, verdict }: CompiledRuleSet,
  fieldAt: (column: number) => number,
  used: readonly string[],
): boolean[] {
  const readers: number[] = used.map((field) => (field === AD_FIELD ? 2 : 0));
  for (const { columns } of verdict === null ? dimensions : [...dimensions, verdict]) {
    const several = columns.length > 1;
    for (const field of new Set(columns.map(fieldAt))) readers[field]! += several ? 2 : 1;
  }
  return readers.map((count) => count > 1);
}
