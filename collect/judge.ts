import { randomUUID } from 'node:crypto';
import { createClickView } from '../core/click/view.js';
import { ClickDecoder, DECODED, rejectReason } from '../core/click/decode.js';
import { readObject } from '../core/click/parse.js';
import type { RejectReason } from '../core/click/reasons.js';

/** A click as it goes to the log; the ids are those that the collector gave, if it did. */
export interface AcceptedClick {
  readonly kind: 'click';
  /** The ad id: partitions the record. */
  readonly key: Buffer;
  readonly value: Buffer;
  readonly given?: GivenId;
}

/** What was put into a click that came without. A client that retries sends both with it. */
export interface GivenId {
  readonly event_id: string;
  /** The time of arrival, if the click had none. */
  readonly timestamp?: string;
}

export interface RejectedClick {
  readonly kind: 'rejected';
  readonly code: RejectReason;
  /** What is wrong, without quoting more of the record than a field's name. */
  readonly detail: string;
}

export type Judged = AcceptedClick | RejectedClick;

/**
 * Says whether records are clicks, by the decoder that the stream uses, so that nothing which the
 * collector accepted is quarantined behind the log. The decoder judges "in the future" against the
 * broker's append time; here the clock of this machine stands for it.
 */
export class ClickJudge {
  private readonly decoder = new ClickDecoder([]);
  private readonly view = createClickView(0);

  /**
   * Judges a record. One without `event_id` gets `idempotencyKey`, else a random one; and if it has
   * no time either, the time of arrival. A click that has an id and no time is rejected: its retry
   * would be given another time, and counted again where that lies in another hour.
   */
  judge(bytes: Buffer, nowMs: number, idempotencyKey?: string): Judged {
    const judged = this.asItIs(bytes, nowMs);
    if (judged.kind === 'click' || judged.code !== 'missing_field') return judged;
    return this.completed(bytes, nowMs, idempotencyKey) ?? judged;
  }

  private asItIs(bytes: Buffer, nowMs: number): Judged {
    const { decoder, view } = this;
    const result = decoder.decodeInto(bytes, 0, bytes.length, nowMs, view);
    if (result !== DECODED) {
      return { kind: 'rejected', code: rejectReason(result), detail: decoder.detail };
    }
    // A copy: the view may point into memory that the next record overwrites.
    const key = Buffer.from(view.source.subarray(view.adStart, view.adEnd));
    return { kind: 'click', key, value: bytes };
  }

  /** The record with what it lacks; undefined if that is nothing which is given here. */
  private completed(bytes: Buffer, nowMs: number, key: string | undefined): Judged | undefined {
    const read = readObject(bytes);
    if (read.kind === 'rejected') return undefined;
    const members = JSON.parse(read.text) as object;
    if (Object.hasOwn(members, 'event_id')) return undefined;
    const timed = Object.hasOwn(members, 'timestamp');
    if (!timed && key !== undefined) {
      const detail = 'timestamp is absent: a click with an id of its own needs a time of its own';
      return { kind: 'rejected', code: 'missing_field', detail };
    }
    const given: GivenId = {
      event_id: key ?? randomUUID(),
      ...(timed ? {} : { timestamp: new Date(nowMs).toISOString() }),
    };
    const added = JSON.stringify(given).slice(0, -1);
    const rest = read.text.slice(read.text.indexOf('{') + 1);
    const comma = Object.keys(members).length === 0 ? '' : ',';
    const judged = this.asItIs(Buffer.from(added + comma + rest), nowMs);
    return judged.kind === 'rejected' || key !== undefined ? judged : { ...judged, given };
  }
}
