import { CLICK_LIMITS } from './click/click.js';
import { TruecountError } from './errors.js';
import { WINDOW_DAYS_MAX } from './range.js';
import { filterText, parseFilter } from './rules/filter.js';
import { TOTAL_FILTER } from './rules/rule-set.js';
import { fitsUtf8, isSafeText } from './text.js';

/** Bounds of what one question may ask for. */
export const QUESTION_LIMITS = {
  windowMinutesMax: WINDOW_DAYS_MAX * 24 * 60,
  topNMax: 1_000,
} as const;

/**
 * An `ad_id` that a click can have: 1 to 1,024 bytes of UTF-8 without control characters.
 * @throws TruecountError `invalid_argument`: anything else would count 0 for ever
 */
export function parseAdId(text: string): string {
  if (text !== '' && isSafeText(text) && fitsUtf8(text, CLICK_LIMITS.idBytesMax)) return text;
  throw new TruecountError('invalid_argument', `no click can have this ad_id`, {
    hint: 'an ad_id is 1 to 1,024 bytes of UTF-8 without control characters',
    context: { parameter: 'ad_id' },
  });
}

/**
 * A filter as clicks are counted by it, `country:US`; left out means the unfiltered total.
 * @throws TruecountError `invalid_argument`
 */
export function parseFilterId(text: string | undefined): string {
  if (text === undefined) return TOTAL_FILTER;
  const { dimension, value } = parseFilter(text);
  return filterText(dimension, value);
}

/**
 * A whole number in plain digits.
 * @throws TruecountError `invalid_argument`
 */
export function parseWhole(name: string, text: string, minimum: number, maximum: number): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  if (value >= minimum && value <= maximum) return value;
  throw new TruecountError(
    'invalid_argument',
    `${name} is out of bounds: ${JSON.stringify(text)}`,
    {
      hint: `${name} is a whole number from ${String(minimum)} to ${String(maximum)}`,
      context: { parameter: name },
    },
  );
}
