import { DAY_MS, HOUR_MS, daysFromCivil, daysInMonth } from '../time.js';

/** `2026-11-21T10`: the part of a timestamp that most clicks share with the click before. */
const PREFIX_BYTES = 13;
const COLON = 0x3a;
const DASH = 0x2d;
const DOT = 0x2e;
const UPPER_T = 0x54;
const UPPER_Z = 0x5a;

/** Digits of an epoch in ms from 2001-09-09 to 2286: the whole accepted range but two years. */
const EPOCH_DIGITS = 13;
/** The rest are six: each half stays in 31 bits. */
const EPOCH_HIGH_DIGITS = 7;

/**
 * Reads timestamps from bytes by arithmetic: `YYYY-MM-DDTHH:MM:SS[.fraction]Z` and epoch ms. After
 * a read that returned true, the event time is `hourMs + restMs`: two fields, so that no boxed
 * double is passed around. Other accepted forms are the full parser's.
 */
export class TimeScanner {
  hourMs = Number.NaN;
  restMs = 0;
  /** The prefix that gave `prefixHourMs`, as three words and one that overlaps. */
  private word0 = 0;
  private word4 = 0;
  private word8 = 0;
  private word9 = 0;
  private prefixHourMs = Number.NaN;

  /** `[i, end)` is the text between the quotes. */
  readText(bytes: Uint8Array, data: DataView, i: number, end: number): boolean {
    const length = end - i;
    if (length < 20 || bytes[end - 1] !== UPPER_Z) return false;
    if (!this.readHour(bytes, data, i)) return false;
    const minute = twoDigits(bytes, i + 14);
    const second = twoDigits(bytes, i + 17);
    if (bytes[i + 13] !== COLON || bytes[i + 16] !== COLON) return false;
    if (minute < 0 || minute > 59 || second < 0 || second > 59) return false;
    this.restMs = (minute * 60 + second) * 1000;
    return length === 20 || this.readFraction(bytes, i + 19, end - 1);
  }

  /** Epoch milliseconds; `[i, end)` is a JSON number. */
  readEpoch(bytes: Uint8Array, i: number, end: number): boolean {
    if (end - i !== EPOCH_DIGITS) return false;
    let high = 0;
    let low = 0;
    let others = 0;
    for (let k = 0; k < EPOCH_DIGITS; k++) {
      const digit = (bytes[i + k] as number) - 0x30;
      // Negative for a byte below a digit, and for one above it.
      others |= digit | (9 - digit);
      if (k < EPOCH_HIGH_DIGITS) high = high * 10 + digit;
      else low = low * 10 + digit;
    }
    this.hourMs = high * 1_000_000;
    this.restMs = low;
    return others >= 0;
  }

  private readHour(bytes: Uint8Array, data: DataView, i: number): boolean {
    const same =
      data.getInt32(i, true) === this.word0 &&
      data.getInt32(i + 4, true) === this.word4 &&
      data.getInt32(i + 8, true) === this.word8 &&
      data.getInt32(i + PREFIX_BYTES - 4, true) === this.word9;
    if (!same && !this.learnHour(bytes, data, i)) return false;
    this.hourMs = this.prefixHourMs;
    return true;
  }

  private learnHour(bytes: Uint8Array, data: DataView, i: number): boolean {
    const century = twoDigits(bytes, i);
    const yearOfCentury = twoDigits(bytes, i + 2);
    const month = twoDigits(bytes, i + 5);
    const day = twoDigits(bytes, i + 8);
    const hour = twoDigits(bytes, i + 11);
    if (bytes[i + 4] !== DASH || bytes[i + 7] !== DASH || bytes[i + 10] !== UPPER_T) return false;
    if (century < 0 || yearOfCentury < 0 || month < 1 || month > 12 || hour < 0) return false;
    const year = century * 100 + yearOfCentury;
    if (day < 1 || day > daysInMonth(year, month) || hour > 23) return false;
    this.word0 = data.getInt32(i, true);
    this.word4 = data.getInt32(i + 4, true);
    this.word8 = data.getInt32(i + 8, true);
    this.word9 = data.getInt32(i + PREFIX_BYTES - 4, true);
    this.prefixHourMs = daysFromCivil(year, month, day) * DAY_MS + hour * HOUR_MS;
    return true;
  }

  /** `.` and one digit or more in `[i, end)`, of which three count. */
  private readFraction(bytes: Uint8Array, i: number, end: number): boolean {
    if (bytes[i] !== DOT || end - i < 2) return false;
    let weight = 100;
    for (let k = i + 1; k < end; k++) {
      const digit = (bytes[k] as number) - 0x30;
      if (digit < 0 || digit > 9) return false;
      this.restMs += digit * weight;
      weight = weight > 1 ? weight / 10 : 0;
    }
    return true;
  }
}

/** The number of two ASCII digits, or a negative number if they are none. */
function twoDigits(bytes: Uint8Array, i: number): number {
  const tens = (bytes[i] as number) - 0x30;
  const ones = (bytes[i + 1] as number) - 0x30;
  return tens < 0 || tens > 9 || ones < 0 || ones > 9 ? -1 : tens * 10 + ones;
}
