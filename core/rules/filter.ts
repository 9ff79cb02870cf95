import { CLICK_LIMITS } from '../click/click.js';
import { TruecountError } from '../errors.js';
import { fitsUtf8, isSafeText } from '../text.js';

/** Names of dimensions. */
export const DIMENSION_NAME = /^[a-z][a-z0-9_]{0,31}$/;

/** A filter taken apart: `country:US`. */
export interface Filter {
  readonly dimension: string;
  readonly value: string;
}

export function filterText(dimension: string, value: string): string {
  return `${dimension}:${value}`;
}

/** The dimension of a cell's filter, which is known to be one; '' of the unfiltered total. */
export function dimensionOf(filter: string): string {
  return filter.slice(0, Math.max(filter.indexOf(':'), 0));
}

/** Whether a text can be a dimension's value: 1–256 bytes of well-formed text without controls. */
export function isDimensionValue(text: string): boolean {
  return text !== '' && fitsUtf8(text, CLICK_LIMITS.dimensionBytesMax) && isSafeText(text);
}

/**
 * Reads a filter as people and programs give it, `country:US`. The first colon ends the dimension's
 * name; the value may hold more of them. Says nothing about whether the dimension exists.
 * @throws TruecountError invalid_argument
 */
export function parseFilter(text: string): Filter {
  const colon = text.indexOf(':');
  const dimension = text.slice(0, Math.max(colon, 0));
  const value = text.slice(colon + 1);
  if (colon === -1) throw badFilter(text, 'it has no colon');
  if (!DIMENSION_NAME.test(dimension)) {
    throw badFilter(text, `${JSON.stringify(dimension)} is no name of a dimension`);
  }
  if (!isDimensionValue(value)) {
    const max = String(CLICK_LIMITS.dimensionBytesMax);
    throw badFilter(text, `its value is not 1 to ${max} bytes of text without control characters`);
  }
  return { dimension, value };
}

function badFilter(text: string, why: string): TruecountError {
  const shown = JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
  return new TruecountError('invalid_argument', `filter ${shown} cannot be read: ${why}`, {
    hint: 'write it as dimension:value, for example country:US',
  });
}
