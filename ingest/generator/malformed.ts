/** What a malformed line is built from: a click that would have been fine. */
export interface Sound {
  readonly eventId: string;
  /** JSON string of the ad id. */
  readonly adJson: string;
  readonly eventMs: number;
}

interface Malformed {
  /** The reason with which the record must be quarantined, written down here independently. */
  readonly reason: string;
  /** Relative frequency. */
  readonly weight: number;
  readonly line: (sound: Sound) => string | Buffer;
}

const TEN_YEARS_MS = 3_650 * 86_400_000;

function fields(
  sound: Sound,
  changed: { event_id?: string; ad_id?: string; timestamp?: string },
): string {
  const parts = {
    event_id: `"${sound.eventId}"`,
    ad_id: sound.adJson,
    timestamp: String(sound.eventMs),
    ...changed,
  };
  const present = Object.entries(parts).filter(([, json]) => json !== '');
  return `{${present.map(([name, json]) => `"${name}":${json}`).join(',')},"country":"US"}`;
}

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

/**
 * Every way of being no click that fits on a line. What does not (a record without a value) is for
 * tests that write to the log themselves.
 */
export const MALFORMED: readonly Malformed[] = [
  { reason: 'empty', weight: 40, line: () => ' \t ' },
  {
    reason: 'record_too_large',
    weight: 1,
    line: (s) => fields(s, {}).replace('{', `{"pad":"${'p'.repeat(262_144)}",`),
  },
  { reason: 'bad_framing', weight: 20, line: () => latin1('\0\0\0\0\x01not a record') },
  { reason: 'not_utf8', weight: 40, line: (s) => latin1(fields(s, {}).replace('US', '\xff\xfe')) },
  {
    reason: 'too_deep',
    weight: 20,
    line: (s) => fields(s, {}).replace('{', `{"deep":${'['.repeat(80)}1${']'.repeat(80)},`),
  },
  { reason: 'not_json', weight: 60, line: (s) => fields(s, {}).slice(0, -8) },
  { reason: 'not_json', weight: 20, line: (s) => `${fields(s, {})}${fields(s, {})}` },
  { reason: 'not_json', weight: 20, line: (s) => fields(s, { timestamp: 'NaN' }) },
  { reason: 'not_object', weight: 20, line: (s) => `[${fields(s, {})}]` },
  { reason: 'not_object', weight: 10, line: () => 'null' },
  { reason: 'not_object', weight: 10, line: () => '"click"' },
  { reason: 'missing_field', weight: 40, line: (s) => fields(s, { event_id: '' }) },
  { reason: 'missing_field', weight: 20, line: (s) => fields(s, { ad_id: '' }) },
  { reason: 'missing_field', weight: 20, line: (s) => fields(s, { timestamp: 'null' }) },
  { reason: 'wrong_type', weight: 30, line: (s) => fields(s, { ad_id: '42' }) },
  { reason: 'wrong_type', weight: 20, line: (s) => fields(s, { timestamp: 'true' }) },
  { reason: 'wrong_type', weight: 20, line: (s) => fields(s, { event_id: '["e"]' }) },
  { reason: 'bad_id', weight: 20, line: (s) => fields(s, { ad_id: '""' }) },
  { reason: 'bad_id', weight: 20, line: (s) => fields(s, { event_id: '"a\\u0000b"' }) },
  { reason: 'bad_id', weight: 10, line: (s) => fields(s, { ad_id: '"\\ud800"' }) },
  { reason: 'bad_id', weight: 10, line: (s) => fields(s, { event_id: `"${'i'.repeat(1025)}"` }) },
  { reason: 'bad_timestamp', weight: 30, line: (s) => fields(s, { timestamp: '"yesterday"' }) },
  {
    reason: 'bad_timestamp',
    weight: 20,
    line: (s) => fields(s, { timestamp: '"2025-02-30T10:00:00Z"' }),
  },
  {
    reason: 'timestamp_out_of_range',
    weight: 30,
    line: (s) => fields(s, { timestamp: String(Math.floor(s.eventMs / 1000)) }),
  },
  {
    reason: 'timestamp_in_future',
    weight: 40,
    line: (s) => fields(s, { timestamp: String(s.eventMs + TEN_YEARS_MS) }),
  },
];
