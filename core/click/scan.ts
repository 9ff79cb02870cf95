import { TruecountError } from '../errors.js';
import { CLICK_LIMITS } from './click.js';
import { FRAMING_BYTES, FRAMING_MAGIC } from './parse.js';
import { KeyLayout, SLOT_AD, SLOT_EVENT, SLOT_FIELD, SLOT_TIME, UNWANTED } from './key-layout.js';
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
 * escapes, or has a value that is not plain ASCII is left to the full parser.
 */
export class ClickScanner {
  private readonly layout: KeyLayout;
  private readonly time = new TimeScanner();
  private source: Uint8Array = new Uint8Array(0);
  private data: DataView = new DataView(new ArrayBuffer(0));
  /** Per slot, of the record in hand: its value's range, or FIELD_ABSENT or FIELD_OTHER. */
  private readonly starts: Int32Array;
  private readonly ends: Int32Array;
  private valueAt = 0;

  /** @throws TruecountError invalid_argument for a field that comes twice or is an id or time. */
  constructor(fields: readonly string[]) {
    const wanted = ['event_id', 'ad_id', 'timestamp', ...fields];
    if (new Set(wanted).size < wanted.length) {
      throw new TruecountError(
        'invalid_argument',
        'fields must differ from each other and from event_id, ad_id and timestamp: ' +
          fields.join(', '),
      );
    }
    this.layout = new KeyLayout(wanted);
    this.starts = new Int32Array(SLOT_FIELD + fields.length);
    this.ends = new Int32Array(SLOT_FIELD + fields.length);
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
    const after = this.members(bytes, open, end);
    if (after === UNUSUAL || (after < end && skipSpace(bytes, after, end) < end)) return FALLBACK;
    if (!this.takeIds(view) || !this.takeTime(bytes, appendMs, view)) return FALLBACK;
    this.takeFields(view);
    view.source = bytes;
    return CLICK;
  }

  private attach(bytes: Uint8Array): void {
    this.source = bytes;
    this.data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /**
   * Notes where the value of each wanted key is; the last wins where a key is repeated. `open` is
   * the index of `{`. Returns the index after the `}` that closes it.
   */
  private members(bytes: Uint8Array, open: number, end: number): number {
    const { layout, data, starts, ends } = this;
    for (let slot = SLOT_EVENT; slot < starts.length; slot++) starts[slot] = FIELD_ABSENT;
    let at = open;
    for (let member = 0; ; member++) {
      const known = layout.matches(member, data, at + 1, end);
      const slot = known
        ? (layout.slots[member] as number)
        : this.learn(bytes, at + 1, end, member);
      if (slot === UNUSUAL) return UNUSUAL;
      let i = known ? at + 1 + (layout.lengths[member] as number) : this.valueAt;
      if ((bytes[i] as number) <= SPACE) i = skipSpace(bytes, i, end);
      if (i < end && bytes[i] === QUOTE) {
        const close = plainEnd(bytes, data, i + 1, end);
        starts[slot] = i + 1;
        ends[slot] = close;
        if (bytes[close] === QUOTE) i = close + 1;
        else i = slot === UNWANTED ? skipString(bytes, i + 1, end) : UNUSUAL;
      } else i = this.otherValue(bytes, i, end, slot);
      if (i === UNUSUAL) return UNUSUAL;
      if (i < end && bytes[i] !== COMMA) i = skipSpace(bytes, i, end);
      if (i >= end) return UNUSUAL;
      if (bytes[i] !== COMMA) return bytes[i] === CLOSE_BRACE ? i + 1 : UNUSUAL;
      at = i;
    }
  }

  /**
   * Reads a key the slow way, from after `{` or `,`, and remembers it. Returns its slot and sets
   * `valueAt` to the first byte of the value.
   */
  private learn(bytes: Uint8Array, from: number, end: number, member: number): number {
    const open = skipSpace(bytes, from, end);
    if (open >= end || bytes[open] !== QUOTE) return UNUSUAL;
    const close = plainEnd(bytes, this.data, open + 1, end);
    if (close >= end || bytes[close] !== QUOTE) return UNUSUAL;
    const colon = skipSpace(bytes, close + 1, end);
    if (colon >= end || bytes[colon] !== COLON) return UNUSUAL;
    this.valueAt = skipSpace(bytes, colon + 1, end);
    if (this.valueAt >= end) return UNUSUAL;
    const slot = this.layout.slotOf(bytes, open + 1, close);
    this.layout.learn(member, slot, this.data, from, this.valueAt);
    return slot;
  }

  /** A value that is no string: notes where an epoch is, or what it makes of a field. */
  private otherValue(bytes: Uint8Array, i: number, end: number, slot: number): number {
    if (slot === SLOT_EVENT || slot === SLOT_AD) return UNUSUAL;
    const after = skipValue(bytes, i, end, 1);
    this.starts[slot] = slot === SLOT_TIME ? i : bytes[i] === LOWER_N ? FIELD_ABSENT : FIELD_OTHER;
    this.ends[slot] = after;
    return after;
  }

  private takeIds(view: ClickView): boolean {
    view.adStart = this.starts[SLOT_AD] as number;
    view.adEnd = this.ends[SLOT_AD] as number;
    view.idStart = this.starts[SLOT_EVENT] as number;
    view.idEnd = this.ends[SLOT_EVENT] as number;
    const adBytes = view.adEnd - view.adStart;
    const idBytes = view.idEnd - view.idStart;
    const max = CLICK_LIMITS.idBytesMax;
    if (view.adStart < 0 || view.idStart < 0) return false;
    return adBytes > 0 && adBytes <= max && idBytes > 0 && idBytes <= max;
  }

  private takeTime(bytes: Uint8Array, appendMs: number, view: ClickView): boolean {
    const time = this.time;
    const from = this.starts[SLOT_TIME] as number;
    const to = this.ends[SLOT_TIME] as number;
    if (from < 0) return false;
    const quoted = bytes[from - 1] === QUOTE;
    if (!(quoted ? time.readText(bytes, this.data, from, to) : time.readEpoch(bytes, from, to))) {
      return false;
    }
    const eventMs = time.hourMs + time.restMs;
    view.eventMs = eventMs;
    return (
      eventMs >= EVENT_MS_MIN &&
      eventMs < EVENT_MS_END &&
      eventMs <= appendMs + CLICK_LIMITS.futureMsMax
    );
  }

  private takeFields(view: ClickView): void {
    const { starts, ends } = this;
    for (let slot = SLOT_FIELD; slot < starts.length; slot++) {
      const start = starts[slot] as number;
      const end = ends[slot] as number;
      view.fieldStart[slot - SLOT_FIELD] = start < 0 ? start : fieldStart(start, end);
      view.fieldEnd[slot - SLOT_FIELD] = end;
    }
  }
}

function fieldStart(start: number, end: number): number {
  if (start === end) return FIELD_ABSENT;
  return end - start > CLICK_LIMITS.fieldBytesMax ? FIELD_OTHER : start;
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
