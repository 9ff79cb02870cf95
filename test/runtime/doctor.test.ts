import { expect, it } from 'vitest';
import { judgeTopic } from '../../runtime/doctor.js';

const HOUR_MS = 3_600_000;
const STREAM = { outOfOrdernessMs: 0, graceMs: HOUR_MS, idleTimeoutMs: 0 };
const TOPIC = {
  topic: 'clicks',
  exists: true,
  partitions: 4,
  timestampType: 'LogAppendTime',
  retentionMs: 100 * HOUR_MS,
};

it.each([
  ['is kept long enough', {}, 'ok'],
  ['is kept for ever', { retentionMs: -1 }, 'ok'],
  ['outlasts an uncut hour by less than a day', { retentionMs: 25 * HOUR_MS }, 'warn'],
  ['outlasts an uncut hour by just a day', { retentionMs: 26 * HOUR_MS }, 'ok'],
  ['does not outlast an uncut hour', { retentionMs: 2 * HOUR_MS - 1 }, 'wrong'],
  ['has the producer’s time', { timestampType: 'CreateTime' }, 'wrong'],
  ['keeps its settings to itself', { timestampType: null, retentionMs: null }, 'warn'],
  ['is not there', { exists: false }, 'wrong'],
])('judges a topic that %s', (_, facts, level) => {
  const finding = judgeTopic({ ...TOPIC, ...facts }, STREAM);
  expect(finding.level).toBe(level);
  if (level !== 'ok') expect(finding.todo).toBeTypeOf('string');
});
