import { describe, expect, it } from 'vitest';
import { settleSchedule } from '../../runtime/temporal/schedule.js';
import { settleAlarm, type SettleFacts } from '../../runtime/temporal/settle-watch.js';
import { loadConfig } from '../../runtime/config.js';

it('schedules settlements with everything said that Temporal would otherwise assume', () => {
  const { config } = loadConfig({
    env: { TRUECOUNT_SETTLE_INTERVAL_MS: '60000' },
    useStack: false,
  });
  expect(settleSchedule(config)).toMatchObject({
    scheduleId: 'truecount-settle',
    spec: { intervals: [{ every: 60_000 }] },
    policies: { overlap: 'SKIP', catchupWindow: 180_000, pauseOnFailure: false },
    action: { taskQueue: 'truecount-settle', workflowExecutionTimeout: 21_600_000, args: [{}] },
  });
});

describe('settleAlarm', () => {
  const facts: SettleFacts = {
    nowMs: 1_000_000,
    intervalMs: 60_000,
    createdMs: 0,
    lastSuccessMs: 950_000,
    startedMs: [700_000, 760_000, 820_000, 880_000, 940_000],
    missed: 2,
    skipped: 9,
    running: 0,
    paused: false,
    note: '',
  };

  it('is silent while settlements succeed, however many ticks were skipped before', () => {
    expect(settleAlarm(facts)).toBeUndefined();
    expect(settleAlarm({ ...facts, skipped: 1_000 })).toBeUndefined();
  });

  it('tells of three intervals without success', () => {
    expect(settleAlarm({ ...facts, lastSuccessMs: 819_000 })).toMatch(/succeeded for 181 s \(none/);
    expect(settleAlarm({ ...facts, lastSuccessMs: null })).toMatch(/succeeded for 1000 s/);
  });

  it('gives a new schedule its three intervals', () => {
    expect(settleAlarm({ ...facts, lastSuccessMs: null, createdMs: 900_000 })).toBeUndefined();
  });

  it('tells of a standstill that is over, without having watched it', () => {
    const startedMs = [300_000, 700_000, 760_000, 820_000, 880_000, 940_000];
    expect(settleAlarm({ ...facts, startedMs })).toMatch(
      /^settlements stood still for 400 s, until 1970-01-01T00:11:40.000Z/,
    );
  });

  it('tells of one whose first settlement is done and whose first tick is to come', () => {
    const startedMs = [640_000, 700_000, 760_000];
    expect(settleAlarm({ ...facts, startedMs })).toMatch(/^settlements stood still for 240 s/);
  });

  it('bears ticks that were skipped or came late within three intervals', () => {
    expect(settleAlarm({ ...facts, startedMs: [640_000, 820_000, 1_000_000] })).toBeUndefined();
    expect(settleAlarm({ ...facts, startedMs: [] })).toBeUndefined();
  });

  it('tells of a pause, and why', () => {
    expect(settleAlarm({ ...facts, paused: true, note: 'ask Ada' })).toMatch(/paused: ask Ada/);
  });
});
