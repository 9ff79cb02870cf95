/**
 * What a rule set works on: one text per value and click. Two of them are no text of a click: the
 * empty one stands for a value that is not there, and `OTHER` for one that cannot be a value. (No
 * usable text holds a control character.)
 */
import type { FieldValue } from '../click/click.js';
import { OTHER_VALUE, UNKNOWN_VALUE } from './rule-set.js';

export const ABSENT = '';
export const OTHER = '\u0000';

/** Between the parts of a crossed value. */
const CROSS = '×';

export function isText(text: string): boolean {
  return text !== ABSENT && text !== OTHER;
}

/** A field of the click as the decoder saw it. */
export function textOfField(value: FieldValue): string {
  if (value.kind === 'value') return value.text;
  return value.kind === 'absent' ? ABSENT : OTHER;
}

/** The same the other way. */
export function valueOfText(text: string): FieldValue {
  if (text === ABSENT) return { kind: 'absent' };
  return text === OTHER ? { kind: 'other' } : { kind: 'value', text };
}

/**
 * The value that a text is counted as. One that reads `unknown` or `other` in the click shares its
 * cell with absent and unusable values: all of them are one value to the advertiser, and a
 * dimension's values still add up to the total (I4).
 */
export function countedAs(text: string): string {
  if (text === ABSENT) return UNKNOWN_VALUE;
  return text === OTHER ? OTHER_VALUE : text;
}

/**
 * `US×mobile`. In a part, the separator and the backslash get a backslash before them: different
 * parts never give the same text.
 */
export function crossText(parts: readonly string[]): string {
  return parts.map((part) => countedAs(part).replaceAll(/[\\×]/g, '\\$&')).join(CROSS);
}
