import type { RejectReason } from '../../../core/click/reasons.js';

/** The append time that the examples are judged against. */
export const EXAMPLE_APPEND_MS = Date.UTC(2026, 10, 21, 10, 0, 5);

/** One reason as `docs/reference/quarantine.md` tells it; the bytes must yield the reason. */
export interface RejectExample {
  readonly meaning: string;
  /** How the example is shown, where it is not its own text. */
  readonly shown?: string;
  readonly value: Uint8Array | null;
}

const ascii = (text: string): Buffer => Buffer.from(text);
const REST = '"ad_id":"ad1","timestamp":"2026-11-21T10:00:00Z"';

export const REJECT_EXAMPLES: Readonly<Record<RejectReason, RejectExample>> = {
  empty: {
    meaning: 'The record has no value (a tombstone), no bytes, or nothing but whitespace.',
    shown: 'a record whose value is null',
    value: null,
  },
  record_too_large: {
    meaning: 'The value is larger than 256 KiB (262,144 bytes).',
    shown: `{"event_id":"e1",${REST},"note":"xxx…"}   (300,000 times x)`,
    value: ascii(`{"event_id":"e1",${REST},"note":"${'x'.repeat(300_000)}"}`),
  },
  bad_framing: {
    meaning:
      'The value begins with the byte 00, so it is in the Confluent wire format: 00, a schema id ' +
      'of four bytes, then the click. But no JSON object follows (Avro and Protobuf are not read).',
    shown: '00 00 00 00 07 04 65 31 06 61 64 31   (hex)',
    value: Buffer.from('000000000704653106616431', 'hex'),
  },
  not_utf8: {
    meaning: 'The bytes are not valid UTF-8. A byte order mark at the start is allowed.',
    shown: '7b 22 61 64 5f 69 64 22 3a 22 ff 22 7d   (hex; ff never occurs in UTF-8)',
    value: Buffer.from('7b2261645f6964223a22ff227d', 'hex'),
  },
  too_deep: {
    meaning: 'Arrays and objects are nested more than 64 deep.',
    shown: `{"event_id":"e1",${REST},"x":[[[…]]]}   (64 brackets within the object)`,
    value: ascii(`{"event_id":"e1",${REST},"x":${'['.repeat(64)}${']'.repeat(64)}}`),
  },
  not_json: {
    meaning:
      'The text is not JSON (RFC 8259): cut off, single quotes, trailing comma, two records.',
    value: ascii(`{"event_id":"e1",${REST}`),
  },
  not_object: {
    meaning: 'The JSON is an array, a string, a number, true, false or null, not an object.',
    value: ascii(`[{"event_id":"e1",${REST}}]`),
  },
  missing_field: {
    meaning: '`event_id`, `ad_id` or `timestamp` is absent or null.',
    value: ascii(`{"event_id":null,${REST}}`),
  },
  wrong_type: {
    meaning:
      '`event_id` or `ad_id` is not a string, or `timestamp` is neither a string nor a number. ' +
      'Ids are never converted: a number above 2^53 would already have lost its last digits.',
    value: ascii(`{"event_id":9007199254740993,${REST}}`),
  },
  bad_id: {
    meaning:
      '`event_id` or `ad_id` is "", longer than 1,024 bytes of UTF-8, holds a control character ' +
      '(U+0000–U+001F, U+007F–U+009F), or a surrogate that stands alone.',
    value: ascii(`{"event_id":"e\\u0000",${REST}}`),
  },
  bad_timestamp: {
    meaning:
      '`timestamp` is a string that is not an RFC 3339 time with a zone (a day that does not ' +
      'exist, second 60, no zone), or a number that is not whole milliseconds.',
    value: ascii(`{"event_id":"e1","ad_id":"ad1","timestamp":"2026-11-21 10:00:00"}`),
  },
  timestamp_out_of_range: {
    meaning:
      'The time is before 2000-01-01 or not before 2100-01-01 UTC: mostly seconds or microseconds ' +
      'sent for milliseconds.',
    value: ascii(`{"event_id":"e1","ad_id":"ad1","timestamp":1795255200}`),
  },
  timestamp_in_future: {
    meaning:
      "The time is more than 5 minutes after the broker's append time: the sender's clock is wrong. " +
      'Such a click must not push the watermark.',
    value: ascii(`{"event_id":"e1","ad_id":"ad1","timestamp":"2026-11-21T10:05:05.001Z"}`),
  },
};
