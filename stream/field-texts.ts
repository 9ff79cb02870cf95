import { FIELD_ABSENT } from '../core/click/view.js';
import type { ClickView } from '../core/click/view.js';
import { ABSENT, OTHER } from '../core/rules/value-text.js';
import { ByteInterner } from './interner.js';

/** The texts of one field as small integers: 0 is absent, 1 is other, then as they are first seen. */
export class FieldTexts {
  private readonly values = new ByteInterner();

  /** `field`: index in the view; null: the ad. */
  constructor(readonly field: number | null) {}

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
