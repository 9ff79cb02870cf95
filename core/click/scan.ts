import { TruecountError } from '../errors.js';
import { CLICK_LIMITS } from './click.js';
import { FRAMING_BYTES, FRAMING_MAGIC } from './parse.js';
import { KeyLayout, NO_ROLE, ROLE_AD, ROLE_EVENT, ROLE_FIELD, ROLE_TIME } from './key-layout.js';
import { UNUSUAL, skipSpace, skipString, skipValue } from './scan-json.js';
import { TimeScanner } from './scan-time.js';
import { EVENT_MS_END, EVENT_MS_MIN } from './timestamp.js';
import { FIELD_ABSENT, FIELD_OTHER } from './view.js';
import type { ClickView } from './view.js';

/** The bytes are a click and the view holds it. */
export const CLICK = 0;
/** The bytes are unusual; the full parser decides. Never means "rejected". */
export const FALLBACK = 1;
export type ScanVerdict = typeof CLICK | typeof FALLBACK;

/** One bit of a word for each key that is wanted: event_id, ad_id, timestamp and the fields. */
const FIELDS_MAX = 28;
const ALL_REQUIRED = (1 << ROLE_EVENT) | (1 << ROLE_AD) | (1 << ROLE_TIME);

const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const LOWER_N = 0x6e;

/**
 * Finds a click in its bytes without building anything: the hot path's decoder. It says CLICK only
 * where `parseClick` accepts the same bytes with the same values, and checks the whole record's
 * syntax for that; a property test holds the two together. A wanted key that is written with
 * escapes, comes twice, or has a value that is not plain ASCII is left to the full parser.
 */
export class ClickScanner {
  private readonly layout: KeyLayout;
  private readonly fieldCount: number;
  private readonly time = new TimeScanner();
  private source: Uint8Array = new Uint8Array(0);
  private data: DataView = new DataView(new ArrayBuffer(0));
  private seen = 0;

  /** @throws TruecountError invalid_argument for a field that comes twice or is an id or time. */
  constructor(fields: readonly string[]) {
    const wanted = ['event_id', 'ad_id', 'timestamp', ...fields];
    if (fields.length > FIELDS_MAX || new Set(wanted).size < wanted.length) {
      throw new TruecountError(
        'invalid_argument',
        `a scanner needs at most ${String(FIELDS_MAX)} different dimension fields, none of them ` +
          `event_id, ad_id or timestamp; got ${fields.join(', ')}`,
      );
    }
    this.layout = new KeyLayout(wanted);
    this.fieldCount = fields.length;
  }

  /**
   * Scans `[start, end)` of `bytes`. `appendMs` is the broker's append time. On FALLBACK the view
   * holds nothing of meaning.
   */
  scan(
    bytes: Uint8Array,
    start: number,
    end: number,
    appendMs: number,
    view: ClickView,
  ): ScanVerdict {
    if (end - start > CLICK_LIMITS.recordBytesMax || end <= start) return FALLBACK;
    if (bytes !== this.source) this.attach(bytes);
    const framed = bytes[start] === FRAMING_MAGIC;
    const open = skipSpace(bytes, framed ? start + FRAMING_BYTES : start, end);
    if (open >= end || bytes[open] !== OPEN_BRACE) return FALLBACK;
    for (let f = 0; f < this.fieldCount; f++) view.fieldStart[f] = FIELD_ABSENT;
    this.seen = 0;
    const close = this.members(bytes, open, end, view);
    if (close === UNUSUAL || skipSpace(bytes, close + 1, end) !== end) return FALLBACK;
    if ((this.seen & ALL_REQUIRED) !== ALL_REQUIRED) return FALLBACK;
    const eventMs = this.time.hourMs + this.time.restMs;
    if (eventMs < EVENT_MS_MIN || eventMs >= EVENT_MS_END) return FALLBACK;
    if (eventMs > appendMs + CLICK_LIMITS.futureMsMax) return FALLBACK;
    view.eventMs = eventMs;
    view.source = bytes;
    return CLICK;
  }

  private attach(bytes: Uint8Array): void {
    this.source = bytes;
    this.data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** From the index of `{` to that of the `}` that closes it. */
  private members(bytes: Uint8Array, open: number, end: number, view: ClickView): number {
    const layout = this.layout;
    const data = this.data;
    let at = open;
    for (let member = 0; ; member++) {
      let role: number;
      let i: number;
      if (layout.matches(member, data, at + 1, end)) {
        role = layout.roleOf(member);
        i = at + 1 + layout.lengthOf(member);
        if ((bytes[i] as number) <= SPACE) i = skipSpace(bytes, i, end);
        if (i >= end) return UNUSUAL;
      } else {
        i = this.valueStart(bytes, at + 1, end);
        if (i === UNUSUAL) return UNUSUAL;
        role = layout.learn(member, bytes, data, at + 1, i);
      }
      i = this.value(bytes, i, end, role, view);
      if (i === UNUSUAL) return UNUSUAL;
      if (i < end && bytes[i] !== COMMA && bytes[i] !== CLOSE_BRACE) i = skipSpace(bytes, i, end);
      if (i >= end) return UNUSUAL;
      if (bytes[i] === CLOSE_BRACE) return i;
      if (bytes[i] !== COMMA) return UNUSUAL;
      at = i;
    }
  }

  /** Reads a key the slow way: from after `{` or `,` to the first byte of the value. */
  private valueStart(bytes: Uint8Array, from: number, end: number): number {
    let i = skipSpace(bytes, from, end);
    if (i >= end || bytes[i] !== QUOTE) return UNUSUAL;
    const close = plainEnd(bytes, this.data, i + 1, end);
    if (close >= end || bytes[close] !== QUOTE) return UNUSUAL;
    i = skipSpace(bytes, close + 1, end);
    if (i >= end || bytes[i] !== COLON) return UNUSUAL;
    i = skipSpace(bytes, i + 1, end);
    return i < end ? i : UNUSUAL;
  }

  /** Takes or skips the value that starts at `i`; returns the index after it. */
  private value(bytes: Uint8Array, i: number, end: number, role: number, view: ClickView): number {
    if (role !== NO_ROLE) {
      const bit = 1 << role;
      if ((this.seen & bit) !== 0) return UNUSUAL;
      this.seen |= bit;
    }
    if (bytes[i] === QUOTE) return this.stringValue(bytes, i + 1, end, role, view);
    if (role === ROLE_TIME) return this.epochValue(bytes, i, end);
    if (role === ROLE_EVENT || role === ROLE_AD) return UNUSUAL;
    if (role !== NO_ROLE && bytes[i] !== LOWER_N) view.fieldStart[role - ROLE_FIELD] = FIELD_OTHER;
    return skipValue(bytes, i, end, 1);
  }

  private stringValue(
    bytes: Uint8Array,
    from: number,
    end: number,
    role: number,
    view: ClickView,
  ): number {
    const close = plainEnd(bytes, this.data, from, end);
    if (close >= end || bytes[close] !== QUOTE) {
      return role === NO_ROLE ? skipString(bytes, from, end) : UNUSUAL;
    }
    if (role >= ROLE_FIELD) {
      setField(view, role - ROLE_FIELD, from, close);
    } else if (role === ROLE_TIME) {
      if (!this.time.readText(bytes, this.data, from, close)) return UNUSUAL;
    } else if (role !== NO_ROLE) {
      if (close === from || close - from > CLICK_LIMITS.idBytesMax) return UNUSUAL;
      if (role === ROLE_AD) {
        view.adStart = from;
        view.adEnd = close;
      } else {
        view.idStart = from;
        view.idEnd = close;
      }
    }
    return close + 1;
  }

  private epochValue(bytes: Uint8Array, from: number, end: number): number {
    let i = from;
    while (i < end && (bytes[i] as number) >= 0x30 && (bytes[i] as number) <= 0x39) i++;
    return this.time.readEpoch(bytes, from, i) ? i : UNUSUAL;
  }
}

function setField(view: ClickView, field: number, start: number, end: number): void {
  if (start === end) return;
  const fits = end - start <= CLICK_LIMITS.dimensionBytesMax;
  view.fieldStart[field] = fits ? start : FIELD_OTHER;
  view.fieldEnd[field] = end;
}

/**
 * First index in `[from, end)` whose byte is `"`, `\`, a control byte, DEL, or not ASCII, else
 * `end`: where a plain string ends. Looks at four bytes at once: subtracting 1 (or 0x20) from each
 * byte sets the top bit of those below it (Mycroft's test, "Bit Twiddling Hacks: determine if a
 * word has a byte less than n"). A borrow can only flag a byte above a true hit, and the lowest
 * flag is the one taken.
 */
function plainEnd(bytes: Uint8Array, data: DataView, from: number, end: number): number {
  let i = from;
  for (; i + 4 <= end; i += 4) {
    const word = data.getInt32(i, true);
    const quote = word ^ 0x22222222;
    const slash = word ^ 0x5c5c5c5c;
    const below =
      ((quote - 0x01010101) & ~quote) |
      ((slash - 0x01010101) & ~slash) |
      ((word - 0x20202020) & ~word);
    const hit = (below | word | (word + 0x01010101)) & 0x80808080;
    if (hit !== 0) return i + ((31 - Math.clz32(hit & -hit)) >> 3);
  }
  for (; i < end; i++) {
    const byte = bytes[i] as number;
    if (byte < 0x20 || byte === QUOTE || byte === 0x5c || byte >= 0x7f) break;
  }
  return i;
}
