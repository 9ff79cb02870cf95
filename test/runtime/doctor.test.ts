import { expect, it } from 'vitest';
import { forPeople, judgeTopic, temporalCli } from '../../runtime/doctor.js';

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

it('names the temporal that runs printed commands, and says if there is none', () => {
  const from = "downloaded by Temporal's SDK (/cache/temporal)";
  expect(temporalCli({ path: '/cache/temporal', from })).toMatchObject({
    level: 'ok',
    detail: from,
  });
  const { level, detail } = temporalCli(undefined);
  expect([level, detail]).toEqual(['info', 'not on PATH, and not in the cache']);
});

it('warns of hours that wait for people, and of alerts', () => {
  expect(forPeople({ waiting: 0, held: 0, alerted: 0 })).toMatchObject({ level: 'ok' });
  expect(forPeople({ waiting: 2, held: 0, alerted: 1 })).toMatchObject({
    level: 'warn',
    detail: '2 hours wait for a person, 1 hour was published with an alert in the last 24 h',
    todo: expect.stringContaining('truecount hours') as string,
  });
});
