import { TruecountError } from '../core/errors.js';
import { ledgerWords } from '../core/ledger-words.js';
import { REPLAY_PARALLEL_MAX } from '../core/replay.js';
import { DAY_MS } from '../core/time.js';
import type {
  ApproveInput,
  PublishHour,
  PublishRangeInput,
  ReconcileHourInput,
  RejectInput,
  SettleInput,
} from './contract.js';
import {
  fieldsOf,
  flag,
  hourRange,
  hourText,
  isAbsent,
  oneOf,
  PUBLISH_HOURS_MAX,
  REPLAY_HOURS_MAX,
  ruleSetHash,
  wholeNumber,
} from './input.js';

const APPROVAL_TIMEOUT_MS = 7 * DAY_MS;
const ARCHIVE_TIMEOUT_MS = 2 * 3_600_000;

const ONE_HOUR = '{"hour": "2026-11-21T10"}';
const A_RANGE = '{"from": "2026-11-21T10", "to": "2026-11-21T12"}';
const TO_PUBLISH = '{"hour": "2026-11-21T10", "generation": 1, "expectedRevision": 0}';

/**
 * What each workflow and update makes of its input. A person may have typed it: whatever JSON it is,
 * a check returns it in its one form, or throws TruecountError `invalid_argument` or `invalid_range`.
 * Anything else that came through would fail workflow tasks for ever.
 */
export function checkCut(input: unknown) {
  const { hour, early } = fieldsOf('the input', input, ONE_HOUR, ['hour', 'early']);
  return { hour: hourText('hour', hour), early: flag('early', early) };
}

export function checkRecompute(input: unknown) {
  const known = ['hour', 'cut', 'rules', 'reuse', 'archiveTimeoutMs'];
  const asked = fieldsOf('the input', input, ONE_HOUR, known);
  const { hour, cut, rules, reuse, archiveTimeoutMs } = asked;
  const hash = ruleSetHash(rules);
  const timeout = { min: 1_000, max: 7 * DAY_MS, fallback: ARCHIVE_TIMEOUT_MS };
  return {
    hour: hourText('hour', hour),
    cut: oneOf('cut', cut, ['hour', 'served', 'late'], 'hour'),
    ...(hash === undefined ? {} : { rules: hash }),
    reuse: flag('reuse', reuse),
    archiveTimeoutMs: wholeNumber('archiveTimeoutMs', archiveTimeoutMs, timeout),
  };
}

export function checkReconcile(input: unknown): ReconcileHourInput {
  const { hour, generation, against } = fieldsOf(
    'the input',
    input,
    '{"hour": "2026-11-21T10", "generation": 1}',
    ['hour', 'generation', 'against'],
  );
  return {
    hour: hourText('hour', hour),
    generation: wholeNumber('generation', generation, { min: 1, max: Number.MAX_SAFE_INTEGER }),
    ...(isAbsent(against)
      ? {}
      : { against: oneOf('against', against, ['live', 'served'], 'served') }),
  };
}

export function checkPublish(input: unknown): PublishRangeInput {
  const { hours, kind, actor, reason, automatic } = fieldsOf(
    'the input',
    input,
    `{"hours": [${TO_PUBLISH}], "actor": "…", "reason": "…"}`,
    ['hours', 'kind', 'actor', 'reason', 'automatic'],
  );
  if (!Array.isArray(hours) || hours.length === 0 || hours.length > PUBLISH_HOURS_MAX) {
    throw new TruecountError(
      'invalid_argument',
      `hours must name 1 to ${String(PUBLISH_HOURS_MAX)} hours`,
      { hint: `"hours": [${TO_PUBLISH}]` },
    );
  }
  return {
    hours: hours.map(checkPublishHour),
    kind: oneOf('kind', kind, ['publish', 'rollback', 'confirm', 'release'], 'publish'),
    actor: ledgerWords('actor', actor),
    reason: ledgerWords('reason', reason),
    automatic: flag('automatic', automatic),
  };
}

function checkPublishHour(value: unknown, index: number): PublishHour {
  const at = `hours[${String(index)}]`;
  const optional = ['reconciliation', 'examinedBy'];
  const known = ['hour', 'generation', 'expectedRevision', ...optional];
  const one = fieldsOf(at, value, TO_PUBLISH, known);
  const number = (name: string, min: number) =>
    wholeNumber(`${at}.${name}`, one[name], { min, max: Number.MAX_SAFE_INTEGER });
  return {
    hour: hourText(`${at}.hour`, one['hour']),
    generation: number('generation', 1),
    expectedRevision: number('expectedRevision', 0),
    ...(isAbsent(one['reconciliation']) ? {} : { reconciliation: number('reconciliation', 1) }),
    ...(isAbsent(one['examinedBy']) ? {} : { examinedBy: number('examinedBy', 1) }),
  };
}

export function checkReplay(input: unknown) {
  const words = ['reason', 'actor', 'needsApproval', 'approvalTimeoutMs', 'parallel'];
  const asked = fieldsOf('the input', input, A_RANGE, ['from', 'to', 'rules', ...words]);
  const { from, to, rules, reason, actor, needsApproval, approvalTimeoutMs } = asked;
  const parallel = { min: 1, max: REPLAY_PARALLEL_MAX, fallback: 2 };
  const timeout = { min: 1_000, max: 30 * DAY_MS, fallback: APPROVAL_TIMEOUT_MS };
  return {
    ...hourRange(from, to, REPLAY_HOURS_MAX),
    rules: ruleSetHash(rules),
    reason: ledgerWords('reason', reason ?? 'replay'),
    actor: ledgerWords('actor', actor ?? 'unknown'),
    needsApproval: flag('needsApproval', needsApproval),
    parallel: wholeNumber('parallel', asked['parallel'], parallel),
    approvalTimeoutMs: wholeNumber('approvalTimeoutMs', approvalTimeoutMs, timeout),
  };
}

export function checkSettle(input: unknown): SettleInput {
  const { from, to } = fieldsOf('the input', input, A_RANGE, ['from', 'to']);
  if (isAbsent(from) && isAbsent(to)) return {};
  const range = hourRange(from, to, REPLAY_HOURS_MAX);
  return { from: range.from, to: range.to };
}

export function checkApprove(input: unknown): Required<ApproveInput> {
  const { hash, actor } = fieldsOf('the approval', input, '{"hash": "…", "actor": "…"}', [
    'hash',
    'actor',
  ]);
  if (typeof hash !== 'string') {
    throw new TruecountError('invalid_argument', 'hash is missing', {
      hint: 'approve the hash that the progress shows: {"hash": "…", "actor": "…"}',
    });
  }
  return { hash, actor: ledgerWords('actor', actor ?? 'unknown') };
}

/** A rejection may be empty. */
export function checkReject(input: unknown): Required<RejectInput> {
  const { actor, reason } = fieldsOf(
    'the rejection',
    input ?? {},
    '{"actor": "…", "reason": "…"}',
    ['actor', 'reason'],
  );
  return {
    actor: ledgerWords('actor', actor ?? 'unknown'),
    reason: ledgerWords('reason', reason ?? 'no reason given'),
  };
}
