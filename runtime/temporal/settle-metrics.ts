import { Counter, Gauge, type Registry } from 'prom-client';
import type { Attention } from '../../store/read/attention.js';
import { settleAlarm, successAgeMs, type SettleFacts } from './settle-watch.js';

/** Types of workflows that publish. */
const PUBLISHING = ['settleDueHours', 'replayRange', 'publishRange'];

/** Hours that were published with an alert, by the type of the workflow that did it. */
export function alertCounter(registry: Registry): Counter<'workflow'> {
  const alerts = new Counter({
    name: 'truecount_reconcile_alerts_total',
    help: 'Hours that this worker published with an alert; after a crash one may be counted twice',
    labelNames: ['workflow'],
    registers: [registry],
  });
  // An increase is only seen of a series that was there before.
  for (const workflow of PUBLISHING) alerts.inc({ workflow }, 0);
  return alerts;
}

/** Gauges of the schedule, and of the hours that it leaves to people. */
export function settleGauges(registry: Registry): {
  showFacts(facts: SettleFacts): void;
  showAttention(attention: Attention): void;
} {
  const registers = [registry];
  const age = new Gauge({
    name: 'truecount_settle_success_age_seconds',
    help: 'Time since a settlement succeeded',
    registers,
  });
  const missed = new Gauge({
    name: 'truecount_settle_missed',
    help: 'Ticks missed while Temporal was down, since the schedule was made',
    registers,
  });
  const skipped = new Gauge({
    name: 'truecount_settle_skipped',
    help: 'Ticks skipped because a settlement was open, since the schedule was made',
    registers,
  });
  const alarm = new Gauge({
    name: 'truecount_settle_alarm',
    help: '1: it is paused, or none succeeded for three intervals, now or within the last ten',
    registers,
  });
  const held = new Gauge({
    name: 'truecount_hours_held',
    help: 'Hours that wait for a person: by the comparison of a settlement, or a rollback',
    labelNames: ['by'],
    registers,
  });
  return {
    showFacts(facts) {
      age.set(successAgeMs(facts) / 1000);
      missed.set(facts.missed);
      skipped.set(facts.skipped);
      alarm.set(settleAlarm(facts) === undefined ? 0 : 1);
    },
    showAttention({ waiting, held: byPerson }) {
      held.set({ by: 'comparison' }, waiting);
      held.set({ by: 'person' }, byPerson);
    },
  };
}
