import {
  Dictionary,
  Field,
  Int32,
  Int64,
  RecordBatch,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  TimestampMillisecond,
  Utf8,
  makeData,
  vectorFromArray,
} from 'apache-arrow';
import { MINUTE_STATES } from '../../core/state.js';
import { seriesDocument, type Series } from './timeseries.js';

/** IANA media type of the Arrow IPC streaming format. */
export const ARROW_STREAM = 'application/vnd.apache.arrow.stream';

const STATE_TYPE = new Dictionary(new Utf8(), new Int32(), 0);

/**
 * A series as an Arrow IPC stream of one record batch, a row per bucket: the columns of the JSON
 * buckets. What the JSON says of the whole range is in the metadata of the schema, as text.
 */
export function seriesArrow(series: Series): Uint8Array {
  const { buckets } = series.answer;
  const rows = buckets.length;
  const fields = [
    new Field('from', new TimestampMillisecond('UTC'), false),
    new Field('to', new TimestampMillisecond('UTC'), false),
    new Field('count', new Int64(), false),
    new Field('state', STATE_TYPE, false),
    new Field('revision', new Int32(), false),
    new Field('late_pending', new Int64(), false),
  ];
  const whole = (name: 'fromMs' | 'toMs' | 'count' | 'latePending'): BigInt64Array =>
    BigInt64Array.from(buckets, (bucket) => BigInt(bucket[name]));
  const children = [
    makeData({ type: new TimestampMillisecond('UTC'), length: rows, data: whole('fromMs') }),
    makeData({ type: new TimestampMillisecond('UTC'), length: rows, data: whole('toMs') }),
    makeData({ type: new Int64(), length: rows, data: whole('count') }),
    makeData({
      type: STATE_TYPE,
      length: rows,
      data: Int32Array.from(buckets, ({ state }) => MINUTE_STATES.indexOf(state)),
      dictionary: vectorFromArray(MINUTE_STATES, new Utf8()),
    }),
    makeData({
      type: new Int32(),
      length: rows,
      data: Int32Array.from(buckets, ({ revision }) => revision),
    }),
    makeData({ type: new Int64(), length: rows, data: whole('latePending') }),
  ];
  const schema = new Schema(fields, metadataOf(series));
  const data = makeData({ type: new Struct(fields), length: rows, nullCount: 0, children });
  const batch = new RecordBatch(schema, data);
  return RecordBatchStreamWriter.writeAll([batch]).toUint8Array(true);
}

/** The members of the JSON document but the buckets; what is null there is absent here. */
function metadataOf(series: Series): Map<string, string> {
  const whole = seriesDocument({ ...series, answer: { ...series.answer, buckets: [] } });
  return new Map(
    Object.entries(whole).flatMap(([name, value]) =>
      typeof value === 'object' ? [] : [[name, String(value)] as const],
    ),
  );
}
