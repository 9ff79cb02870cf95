import { Counter, Gauge, type Registry } from 'prom-client';
import type { Attention } from '../../store/read/attention.js';
import { settleAlarm, successAgeMs, type SettleFacts } from './settle-watch.js';

/** Types of workflows that publish. */
const PUBLISHING = ['settleDueHours', 'replayRange', 'publishRange'];

/** Hours that were published with an alert, by the type of the workflow that did it. */
export function alertCounter(registry: Registry): Counter<'workflow'> {
  const alerts = new Counter({
    name: 'truecount_reconcile_alerts_total',
    help: 'hours that were published with an alert; see the log and truecount hours',
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
  const gauge = (name: string, help: string): Gauge =>
    new Gauge({ name: `truecount_settle_${name}`, help, registers });
  const age = gauge('success_age_seconds', 'time since a settlement succeeded');
  const missed = gauge('missed', 'settlements missed while Temporal was down');
  const skipped = gauge('skipped', 'ticks skipped because a settlement was at work');
  const alarm = gauge('alarm', '1: no settlement succeeds, or none did a short while ago');
  const held = new Gauge({
    name: 'truecount_hours_held',
    help: 'hours that wait for a person, by who holds them: a comparison, or a person (rollback)',
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
