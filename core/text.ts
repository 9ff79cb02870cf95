const encoder = new TextEncoder();

/** Control characters (U+0000–U+001F, U+007F–U+009F) or surrogates that stand alone. */
const UNSAFE = /[\p{Cc}\p{Cs}]/u;

/**
 * True if the text can be a key anywhere: well-formed Unicode without control characters. Postgres
 * refuses a NUL, and a lone surrogate is stored as U+FFFD, which would merge two keys into one.
 */
export function isSafeText(text: string): boolean {
  return !UNSAFE.test(text);
}

/** Whether the text takes at most `max` bytes of UTF-8. Lone surrogates count as U+FFFD. */
export function fitsUtf8(text: string, max: number): boolean {
  if (text.length * 3 <= max) return true;
  if (text.length > max) return false;
  return encoder.encode(text).length <= max;
}
