/**
 * A click as byte ranges: what the hot path works on, one reused object per worker, nothing
 * allocated per click. `scan.ts` fills it from the raw bytes; where the fast scanner declines, the
 * full parser fills it from a scratch buffer with the same meaning.
 */
export interface ClickView {
  /** The bytes that every range below points into. */
  source: Uint8Array;
  adStart: number;
  adEnd: number;
  idStart: number;
  idEnd: number;
  /** Event time, epoch milliseconds UTC. */
  eventMs: number;
  /** Per requested field: start of its value in `source`, or FIELD_ABSENT, or FIELD_OTHER. */
  readonly fieldStart: Int32Array;
  readonly fieldEnd: Int32Array;
}

/** The field is missing, null or "": it counts as `unknown`. */
export const FIELD_ABSENT = -1;
/** The field is there but cannot be a dimension value (see `FieldValue`): it counts as `other`. */
export const FIELD_OTHER = -2;

export function createClickView(fieldCount: number): ClickView {
  return {
    source: new Uint8Array(0),
    adStart: 0,
    adEnd: 0,
    idStart: 0,
    idEnd: 0,
    // Not 0: the engine keeps this field as an unboxed double from the start.
    eventMs: Number.NaN,
    fieldStart: new Int32Array(fieldCount).fill(FIELD_ABSENT),
    fieldEnd: new Int32Array(fieldCount),
  };
}
