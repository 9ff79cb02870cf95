import { FIELD_ABSENT, FIELD_OTHER } from '../core/click/view.js';
import type { ClickView } from '../core/click/view.js';
import { filterOf } from '../core/rules/rule-set.js';
import type { Dimension, RuleSet } from '../core/rules/rule-set.js';
import { ByteInterner } from './interner.js';

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

/** One dimension: which filter each raw value is counted under, found once per distinct value. */
class CompiledDimension {
  private readonly values = new ByteInterner();
  private filterOfValue: number[] = [];
  private absent = 0;
  private other = 0;

  constructor(
    private readonly dimension: Dimension,
    private readonly field: number,
    private readonly table: FilterTable,
  ) {
    this.reset();
  }

  filter(view: ClickView): number {
    const start = view.fieldStart[this.field]!;
    if (start === FIELD_ABSENT) return this.absent;
    if (start === FIELD_OTHER) return this.other;
    const id = this.values.intern(view.source, start, view.fieldEnd[this.field]!);
    return this.filterOfValue[id] ?? this.firstSight(id);
  }

  get bytes(): number {
    return this.values.bytes;
  }

  reset(): void {
    this.values.clear();
    this.filterOfValue = [];
    this.absent = this.table.idOf(filterOf(this.dimension, { kind: 'absent' }));
    this.other = this.table.idOf(filterOf(this.dimension, { kind: 'other' }));
  }

  private firstSight(id: number): number {
    const text = this.values.toString(id);
    const filter = this.table.idOf(filterOf(this.dimension, { kind: 'value', text }));
    this.filterOfValue[id] = filter;
    return filter;
  }
}

/** A rule set made ready for the hot path. `fields` are the decoder's, in its order. */
export class CompiledRules {
  readonly dimensionCount: number;
  private readonly dimensions: readonly CompiledDimension[];

  constructor(
    readonly hash: string,
    ruleSet: RuleSet,
    fields: readonly string[],
    table: FilterTable,
  ) {
    this.dimensions = ruleSet.dimensions.map(
      (dimension) => new CompiledDimension(dimension, fields.indexOf(dimension.field), table),
    );
    this.dimensionCount = this.dimensions.length;
  }

  /** Writes one filter id per dimension to `out[at…]`, and -1 where `width` is more than those. */
  filters(view: ClickView, out: Int32Array, at: number, width: number): void {
    const dimensions = this.dimensions;
    const n = dimensions.length;
    for (let i = 0; i < n; i++) out[at + i] = dimensions[i]!.filter(view);
    for (let i = n; i < width; i++) out[at + i] = -1;
  }

  get bytes(): number {
    return this.dimensions.reduce((sum, dimension) => sum + dimension.bytes, 0);
  }

  /** Forgets all values; after the filter table was reset. */
  reset(): void {
    for (const dimension of this.dimensions) dimension.reset();
  }
}
