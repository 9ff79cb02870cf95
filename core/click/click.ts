import type { RejectReason } from './reasons.js';

/** Caps of a click, all in bytes or milliseconds. Part of the published interface. */
export const CLICK_LIMITS = {
  /** A larger record is quarantined as `record_too_large`. */
  recordBytesMax: 256 * 1024,
  /** `event_id` and `ad_id`: 1 to this many bytes of UTF-8. */
  idBytesMax: 1024,
  /** A longer text of a field is `other` to every rule set. */
  fieldBytesMax: 4096,
  /** A longer dimension value counts as `other`. */
  dimensionBytesMax: 256,
  /** A record whose event time is further ahead of its append time is quarantined. */
  futureMsMax: 5 * 60_000,
  /** JSON nested deeper is quarantined as `too_deep`. */
  depthMax: 64,
} as const;

/** A field of a click as the decoder sees it, before any rule set. */
export type FieldValue =
  | { readonly kind: 'value'; readonly text: string }
  /** absent, null or "" */
  | { readonly kind: 'absent' }
  /** not a string, over 4,096 bytes, control characters, or not well-formed Unicode */
  | { readonly kind: 'other' };

/** One decoded click. `eventMs` is epoch milliseconds UTC (event time). */
export interface Click {
  readonly adId: string;
  readonly eventId: string;
  readonly eventMs: number;
  /** One entry per requested field, in the order requested. */
  readonly fields: readonly FieldValue[];
}

export type DecodeResult =
  | { readonly kind: 'click'; readonly click: Click }
  | { readonly kind: 'rejected'; readonly reason: RejectReason; readonly detail: string };
