import {
  bundleWorkflowCode,
  DefaultLogger,
  Runtime,
  Worker,
  type InjectedSinks,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker';
import { beforeAll, describe, expect, it } from 'vitest';
import { packageFile } from '../../runtime/package-root.js';
import { recordedHistories } from './support/histories.js';
import { HistoryScript } from './support/history-script.js';
import type { ProbeSinks } from './support/probe.js';

// Replay needs no server. A history that stops too early would never return: each test has a timeout.
const TIMEOUT_MS = 20_000;
let workflowBundle: WorkflowBundleWithSourceMap;

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  workflowBundle = await bundleWorkflowCode({
    workflowsPath: packageFile('workflows', 'all.ts'),
    workflowInterceptorModules: [packageFile('test', 'workflows', 'support', 'probe.ts')],
    logger: new DefaultLogger('ERROR'),
  });
}, 60_000);

/** Replays a history; what the workflow asked for, in order. */
async function replay(history: unknown, all: unknown[][] = []): Promise<[string, unknown][]> {
  const asked: [string, unknown][] = [];
  const sinks: InjectedSinks<ProbeSinks> = {
    probe: {
      scheduled: {
        fn: (_info, type, args) => {
          asked.push([type, args[0]]);
          all.push(args);
        },
        callDuringReplay: true,
      },
    },
  };
  await Worker.runReplayHistory({ workflowBundle, sinks }, history, 'wf');
  return asked;
}

const HOUR = '2025-11-21T10:00:00Z';
const INPUTS = {
  hour: HOUR,
  ruleSet: 'a'.repeat(64),
  cut: [{ topic: 'clicks', partition: 0, nextOffset: 7 }],
};
const ZEROS = new Array<number>(60).fill(0);
const FLOW = { received: ZEROS, counted: ZEROS, duplicate: ZEROS, filtered: ZEROS };
const task = (n: number) => ({
  cells: { key: `scratch/${String(n)}.parquet`, bytes: 1, sha256: 'b'.repeat(64), rows: n },
  flow: FLOW,
  rowsRead: 10 * n,
});
const LOADED = { generation: 5, checksum: 'c'.repeat(64), clicks: 9, cells: 8, existed: false };

/** The attributes that a run sets before its first activity. */
function begun(type: string, input: unknown): HistoryScript {
  return new HistoryScript(type, input)
    .attributes('TruecountTrigger', 'TruecountFrom', 'TruecountTo')
    .attributes('TruecountStage');
}

function recomputed(): HistoryScript {
  return begun('recomputeHour', { hour: '2025-11-21T10' })
    .activities(['resolveInputs', { inputs: INPUTS, existing: null }])
    .attributes('TruecountStage')
    .activities(['awaitArchive', null])
    .attributes('TruecountStage')
    .activities([
      'planTasks',
      {
        tasks: [
          { fileIds: [3, 1], rows: 10, bytes: 1 },
          { fileIds: [2], rows: 20, bytes: 1 },
        ],
      },
    ])
    .attributes('TruecountStage');
}

describe('by hand', () => {
  it(
    'recomputeHour gives each task its files, and the load all of them in order',
    async () => {
      const history = recomputed()
        .activities(['aggregateTask', task(1)], ['aggregateTask', task(2)])
        .attributes('TruecountStage')
        .activities(['loadGeneration', LOADED])
        .activities(['removeScratch', null])
        .attributes('TruecountOutcome')
        .attributes('TruecountStage')
        .completed({});
      expect(await replay(history)).toEqual([
        ['resolveInputs', { hour: HOUR, cut: 'hour', reuse: false }],
        ['awaitArchive', INPUTS],
        ['planTasks', INPUTS],
        ['aggregateTask', { inputs: INPUTS, fileIds: [3, 1] }],
        ['aggregateTask', { inputs: INPUTS, fileIds: [2] }],
        ['loadGeneration', { inputs: INPUTS, fileIds: [1, 2, 3], tasks: [task(1), task(2)] }],
        ['removeScratch', undefined],
      ]);
    },
    TIMEOUT_MS,
  );

  it(
    'recomputeHour removes what a good task left when another failed for good',
    async () => {
      const history = recomputed();
      const asked = await replay(
        history
          .activities(['aggregateTask', task(1)], ['aggregateTask', task(2)])
          .attributes('TruecountStage')
          .failedActivity('loadGeneration', { type: 'validation_failed', message: 'I4' })
          .activities(['removeScratch', null])
          .attributes('TruecountOutcome')
          .failed({ type: 'validation_failed', message: 'I4' }),
      );
      expect(asked.at(-1)).toEqual(['removeScratch', undefined]);
    },
    TIMEOUT_MS,
  );

  it(
    'recomputeHour asks for nothing more where the generation is there already',
    async () => {
      const existing = { ...LOADED, existed: true };
      const asked = await replay(
        begun('recomputeHour', { hour: HOUR, reuse: true, cut: 'late' })
          .activities(['resolveInputs', { inputs: INPUTS, existing }])
          .attributes('TruecountOutcome')
          .attributes('TruecountStage')
          .completed({}),
      );
      expect(asked).toEqual([['resolveInputs', { hour: HOUR, cut: 'late', reuse: true }]]);
    },
    TIMEOUT_MS,
  );

  it(
    'publishRange sends one request, hours in their one form',
    async () => {
      const hours = [{ hour: '2025-11-21T10', generation: 5, expectedRevision: 0 }];
      const input = { hours, kind: 'publish', actor: 'ada', reason: 'why' };
      const asked = await replay(
        begun('publishRange', input)
          .activities(['publish', { publication: 1, hours: [] }])
          .attributes('TruecountOutcome')
          .attributes('TruecountStage')
          .completed({}),
      );
      expect(asked).toEqual([
        [
          'publish',
          { ...input, hours: [{ ...hours[0], hour: HOUR }], automatic: false, step: 'publish' },
        ],
      ]);
    },
    TIMEOUT_MS,
  );

  it.each<[string, unknown]>([
    ['publishRange', { hours: [null], kind: 'publish', actor: 'ada', reason: 'why' }],
    ['replayRange', { from: HOUR, to: '2025-11-21T12', actor: { toString: 1 } }],
    ['settleDueHours', null],
    ['cutHour', [HOUR]],
    ['recomputeHour', { hour: HOUR, cut: {} }],
    ['reconcileHour', 'text'],
  ])(
    '%s ends at once with an input that it cannot take',
    async (type, input) => {
      const asked = await replay(
        new HistoryScript(type, input).failed({ type: 'invalid_argument', message: 'why' }),
      );
      expect(asked).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'replayRange goes on as a new run with what it has, when its history has grown long',
    async () => {
      const input = { from: '2025-11-21T10', to: '2025-11-21T12', parallel: 1 };
      const left = [HOUR, '2025-11-21T11:00:00Z'].map((hour) => ({
        hour,
        cut: true,
        revision: 0,
        latePending: 0,
      }));
      const asked: unknown[][] = [];
      await replay(
        new HistoryScript('replayRange', input)
          .attributes('TruecountTrigger', 'TruecountFrom', 'TruecountTo')
          .lastActivity('lookAtHours', left)
          .attributes('TruecountStage')
          .continuedAsNew('replayRange'),
        asked,
      );
      const startMs = Date.UTC(2026, 0, 1) + 3_000;
      expect(asked).toEqual([
        [{ hours: left.map(({ hour }) => hour) }],
        [input, { compared: [], left, startMs, paused: false }],
      ]);
    },
    TIMEOUT_MS,
  );

  it(
    'notices a history of other activities',
    async () => {
      const other = begun('publishRange', {
        hours: [{ hour: HOUR, generation: 5, expectedRevision: 0 }],
        kind: 'publish',
        actor: 'ada',
        reason: 'why',
      })
        .activities(['cutHour', {}])
        .completed({});
      await expect(replay(other)).rejects.toThrow(/[Nn]ondeterminism|TMPRL1100/);
    },
    TIMEOUT_MS,
  );
});

describe('recorded', () => {
  const histories = recordedHistories();

  it('has one of every workflow, and those of runs that were disturbed', async () => {
    const recorded = new Set(histories.map(({ type }) => type));
    expect(recorded).toEqual(new Set(Object.keys(await import('../../workflows/all.js'))));
    const names = histories.map(({ type, scenario }) => `${type}/${scenario}`);
    expect(names).toEqual(
      expect.arrayContaining([
        'publishRange/lost',
        'recomputeHour/cancelled',
        'recomputeHour/worker-killed',
        'replayRange/approved',
        'settleDueHours/settled',
      ]),
    );
  });

  it.each(histories.map((one) => [`${one.type}/${one.scenario}`, one.history] as const))(
    'replays %s',
    async (_name, history) => {
      expect((await replay(history)).length).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );
});
