/**
 * Why a record is no click: the closed list of quarantine reasons, in the order in which the
 * decoder checks them (a record with several faults gets the first). `docs/reference/quarantine.md`
 * says what each means and gives an example; a test keeps the two lists equal.
 */
export const REJECT_REASONS = [
  'empty',
  'record_too_large',
  'bad_framing',
  'not_utf8',
  'too_deep',
  'not_json',
  'not_object',
  'missing_field',
  'wrong_type',
  'bad_id',
  'bad_timestamp',
  'timestamp_out_of_range',
  'timestamp_in_future',
] as const;

export type RejectReason = (typeof REJECT_REASONS)[number];
