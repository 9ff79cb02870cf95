import { isSafeText } from '../text.js';
import { DIMENSION_NAME, isDimensionValue } from './filter.js';
import { invalid } from './json-shape.js';
import { parseBlock } from './ip.js';
import { PATTERN_CHARS_MAX, patternSize } from './pattern.js';
import type { PatternBudget } from './pattern-budget.js';
import { AD_FIELD, IDENTITY_FIELDS } from './rule-set.js';

const FIELD_CHARS_MAX = 128;

/** A name of a value, dimension, table, column or reason. */
export function nameAt(place: string, value: unknown): string {
  if (typeof value !== 'string' || !DIMENSION_NAME.test(value)) {
    const said = typeof value === 'string' ? `, not ${JSON.stringify(value.slice(0, 80))}` : '';
    throw invalid(place, `must match ${DIMENSION_NAME.source}${said}`);
  }
  return value;
}

/** A field of the click that says something about it, not which one it is. */
export function fieldAt(place: string, value: unknown): string {
  if (typeof value !== 'string' || value === '' || value.length > FIELD_CHARS_MAX) {
    throw invalid(place, `must be a string of 1 to ${String(FIELD_CHARS_MAX)} characters`);
  }
  if (!isSafeText(value)) {
    throw invalid(place, 'must hold no control characters or lone surrogates');
  }
  if (IDENTITY_FIELDS.includes(value)) {
    throw invalid(place, `must not be ${value}: it tells clicks apart`);
  }
  return value;
}

/** A field of the click other than the ad, by which every cell is counted anyway. */
export function fieldButAdAt(place: string, value: unknown): string {
  if (value === AD_FIELD) {
    throw invalid(place, `must not be ${AD_FIELD} here: it tells clicks apart`);
  }
  return fieldAt(place, value);
}

/** A text that clicks can be counted under. */
export function textAt(place: string, value: unknown): string {
  if (typeof value !== 'string' || !isDimensionValue(value)) {
    throw invalid(place, 'must be 1 to 256 bytes of text without control characters');
  }
  return value;
}

/** A pattern that every engine can find in linear time, taken from the budget of the rule set. */
export function patternAt(place: string, value: unknown, budget: PatternBudget): string {
  if (typeof value !== 'string' || value === '' || value.length > PATTERN_CHARS_MAX) {
    throw invalid(place, `must be a pattern of 1 to ${String(PATTERN_CHARS_MAX)} characters`);
  }
  if (!isSafeText(value)) {
    throw invalid(
      place,
      'must hold no control characters or lone surrogates: write a tab as \\t, a NUL as \\x00',
    );
  }
  budget.take(place, value, sizeAt(place, value));
  return value;
}

function sizeAt(place: string, pattern: string): number {
  try {
    return patternSize(pattern);
  } catch (cause) {
    const why = (cause as SyntaxError).message;
    throw invalid(place, `is no pattern in RE2 syntax: ${why}`, cause);
  }
}

/** A CIDR block, or a single address. */
export function blockAt(place: string, value: unknown): string {
  if (typeof value !== 'string' || parseBlock(value) === null) {
    throw invalid(
      place,
      'must be an address or a CIDR block such as 10.0.0.0/8, no bit set below its length',
    );
  }
  return value;
}
