import type { Click } from './click.js';
import { CLICK_LIMITS } from './click.js';
import { parseClick } from './parse.js';
import { REJECT_REASONS } from './reasons.js';
import type { RejectReason } from './reasons.js';
import { CLICK, ClickScanner } from './scan.js';
import { FIELD_ABSENT, FIELD_OTHER } from './view.js';
import type { ClickView } from './view.js';

/** `decodeInto` found a click. Any other result is a rejection: see `rejectReason`. */
export const DECODED = 0;

/** The reason behind a result of `decodeInto` that is not DECODED. */
export function rejectReason(result: number): RejectReason {
  const reason = REJECT_REASONS[result - 1];
  if (reason === undefined) throw new RangeError(`${String(result)} is no rejection`);
  return reason;
}

/**
 * Decodes record values into a view: the one entry point of the stream. The fast scanner takes what
 * is plain, the full parser the rest; the verdict and the values are those of `parseClick`. One per
 * worker: it remembers the key layout of the last record and owns the scratch bytes.
 */
export class ClickDecoder {
  /** Of the last rejection: what is wrong, for people. */
  detail = '';
  private readonly scanner: ClickScanner;
  private readonly scratch: Uint8Array;
  private readonly encoder = new TextEncoder();

  /** `fields` are those wanted; the view to fill needs as many. */
  constructor(readonly fields: readonly string[]) {
    this.scanner = new ClickScanner(fields);
    this.scratch = new Uint8Array(
      2 * CLICK_LIMITS.idBytesMax + fields.length * CLICK_LIMITS.fieldBytesMax,
    );
  }

  /**
   * Decodes `[start, end)` of `bytes`, or a record without value (null). Returns DECODED and fills
   * the view, or 1 + the index of the reason in REJECT_REASONS and sets `detail`. The view is valid
   * until the next call: its source is `bytes` or this decoder's scratch.
   */
  decodeInto(
    bytes: Uint8Array | null,
    start: number,
    end: number,
    appendMs: number,
    view: ClickView,
  ): number {
    if (bytes !== null && this.scanner.scan(bytes, start, end, appendMs, view) === CLICK) {
      return DECODED;
    }
    const result = parseClick(bytes?.subarray(start, end) ?? null, appendMs, this.fields);
    if (result.kind === 'rejected') {
      this.detail = result.detail;
      return 1 + REJECT_REASONS.indexOf(result.reason);
    }
    this.fill(result.click, view);
    return DECODED;
  }

  private fill(click: Click, view: ClickView): void {
    view.source = this.scratch;
    view.eventMs = click.eventMs;
    view.adStart = 0;
    view.adEnd = this.write(click.adId, 0);
    view.idStart = view.adEnd;
    view.idEnd = this.write(click.eventId, view.idStart);
    let at = view.idEnd;
    click.fields.forEach((field, index) => {
      view.fieldStart[index] = field.kind === 'absent' ? FIELD_ABSENT : FIELD_OTHER;
      if (field.kind !== 'value') return;
      view.fieldStart[index] = at;
      at = this.write(field.text, at);
      view.fieldEnd[index] = at;
    });
  }

  private write(text: string, at: number): number {
    return at + this.encoder.encodeInto(text, this.scratch.subarray(at)).written;
  }
}
