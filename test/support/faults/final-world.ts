import type { WorkflowHandle } from '@temporalio/client';
import { WorkflowFailedError } from '@temporalio/client';
import { formatTime } from '../../../core/range.js';
import type { TimeRange } from '../../../core/range.js';
import { hashRuleSet, ruleSetBody } from '../../../core/rules/rule-set.js';
import { HOUR_MS } from '../../../core/time.js';
import { cutHours } from '../../../runtime/cut-hours.js';
import { openSession } from '../../../store/session.js';
import type { ReplayRangeResult, WorkflowProgress } from '../../../workflows/contract.js';
import { workflowIds } from '../../../workflows/contract.js';
import { replayRangeStart } from '../../../workflows/start-options.js';
import { Rig, clicksOf } from '../../workflows/support/rig.js';
import type { WorkerProcess } from '../../workflows/support/rig.js';
import { untilArchived } from '../archive.js';
import { kafkaBrokers } from '../stack.js';
import { untilCounted } from '../stream.js';
import { until } from '../until.js';
import { FinalReader } from './final-reader.js';
import type { Truths } from './final-reader.js';
import { expectFinished, servedChecksums } from './final-checks.js';
import { Gates } from './gates.js';
import { openServers } from './servers.js';
import type { Servers } from './servers.js';

const FIRST_MS = Date.UTC(2025, 10, 21);
/** Multiples of 17 ads × 3 countries, so that each ad has as many clicks of each country. */
const CLICKS = 204;
const CLICKS_PER_COUNTRY = CLICKS / 51;
/** Ranges of one and of two hours: three strikes in a row find free ones without waiting. */
const RANGES = 9;
export const RECOVERY_MS = 120_000;

/** Rule sets come in two meanings; each run gets one of its own, so that all is computed anew. */
type Meaning = 'merged' | 'apart';
const MAPS = { merged: { UK: 'GB', DE: 'GB' }, apart: { UK: 'GB' } } as const;
const COUNTS = { merged: 2 * CLICKS_PER_COUNTRY, apart: CLICKS_PER_COUNTRY } as const;

/** One replay that a fault is to hit. */
export interface Replay extends Truths {
  readonly rules: string;
  readonly meaning: Meaning;
  readonly handle: WorkflowHandle;
  /** How its entry in the ledger is named. */
  readonly request: string;
  /** What is to be true of it when it has finished, beside what is true of all. */
  readonly expectations: ((result: ReplayRangeResult) => Promise<void>)[];
}

interface Slot {
  readonly range: TimeRange;
  uses: number;
  last: Replay | undefined;
}

/** Final hours with everything around them, on a Postgres of their own, that faults act on. */
export class FinalWorld {
  /** How many points of each kind were hit. */
  readonly hits = new Map<string, number>();
  readonly checksums = new Map<Meaning, string>();
  private worker: Promise<WorkerProcess>;
  private readonly slots: Readonly<Record<1 | 2, Slot[]>>;
  private replays = 0;

  private constructor(
    readonly servers: Servers,
    readonly rig: Rig,
    readonly gates: Gates,
    readonly reader: FinalReader,
    private readonly reading: Promise<void>,
  ) {
    const slot = (hours: 1 | 2, first: number, i: number): Slot => {
      const fromMs = FIRST_MS + (first + i * hours) * HOUR_MS;
      return { range: { fromMs, toMs: fromMs + hours * HOUR_MS }, uses: 0, last: undefined };
    };
    this.slots = {
      1: Array.from({ length: RANGES }, (_, i) => slot(1, 0, i)),
      2: Array.from({ length: RANGES }, (_, i) => slot(2, RANGES, i)),
    };
    this.worker = rig.startWorker();
  }

  static async start(): Promise<FinalWorld> {
    const servers = await openServers('postgres');
    const { postgresUrl: url, pool } = servers;
    const database = { url, pool, close: () => Promise.resolve() };
    const settings = { TRUECOUNT_BATCH_TASKS: '8', TRUECOUNT_BATCH_MEMORY_MB: '128' };
    const rig = await Rig.start({ database, settings });
    const hours = 3 * RANGES;
    await rig.produce(
      Array.from({ length: hours }, (_, i) => [...clicksOf(FIRST_MS + i * HOUR_MS, CLICKS)]).flat(),
    );
    await untilCounted(pool, kafkaBrokers(), rig.topic);
    const session = await openSession({
      connection: { connectionString: url },
      applicationName: 'test-cut',
    });
    const range = { fromMs: FIRST_MS, toMs: FIRST_MS + hours * HOUR_MS };
    await cutHours(session, range, () => undefined);
    await session.end();
    await untilArchived(pool, kafkaBrokers(), rig.topic);
    const reader = new FinalReader(url, { adId: 'ad-1', filter: 'country:GB' });
    const gates = await Gates.install(pool, url);
    await gates.installDoor();
    const world = new FinalWorld(servers, rig, gates, reader, reader.run());
    await world.worker;
    return world;
  }

  /** Runs both meanings without a fault: what all others are compared with (I5). */
  async runUndisturbed(): Promise<void> {
    for (let i = 0; i < 2; i++) {
      const replay = await this.begin(1);
      await this.result(replay);
      const [checksum] = await servedChecksums(this.servers.pool, replay.range);
      this.checksums.set(replay.meaning, checksum!);
      await this.finish(replay);
      this.slots[1].unshift(this.slots[1].pop()!); // the same hour again
    }
    this.slots[1].push(this.slots[1].shift()!);
  }

  currentWorker(): Promise<WorkerProcess> {
    return this.worker;
  }

  /** Starts another in place of the one that was killed. */
  replaceWorker(): void {
    this.rig.workers.splice(0);
    this.worker = this.rig.startWorker();
    this.worker.catch(() => undefined); // whoever needs it hears of it
  }

  hit(point: string): void {
    this.hits.set(point, (this.hits.get(point) ?? 0) + 1);
  }

  /** A range that no replay uses: the one whose last use is longest ago, when that has finished. */
  async free(hours: 1 | 2): Promise<TimeRange> {
    const slot = this.slots[hours][0]!;
    if (slot.last !== undefined) await this.finish(slot.last);
    return slot.range;
  }

  /** Starts a replay of the next free range under rules that were never used. */
  async begin(hours: 1 | 2, needsApproval = false): Promise<Replay> {
    const range = await this.free(hours);
    const slot = this.slots[hours].shift()!;
    this.slots[hours].push(slot);
    const meaning: Meaning = slot.uses % 2 === 0 ? 'merged' : 'apart';
    const rules = await this.newRules(meaning);
    const input = {
      ...{ from: formatTime(range.fromMs), to: formatTime(range.toMs), rules, needsApproval },
      ...{ actor: 'ada', reason: 'a fault test' },
    };
    const { workflowType, ...options } = replayRangeStart(input);
    const truths = {
      range,
      before: COUNTS[meaning === 'merged' ? 'apart' : 'merged'],
      after: COUNTS[meaning],
      revision: slot.uses + 1,
      isPublished: false,
    };
    const handle = await this.rig.client.workflow.start(workflowType, {
      ...options,
      args: [input],
    });
    const request = `${handle.workflowId} ${handle.firstExecutionRunId} publish`;
    const replay = Object.assign(truths, { rules, meaning, handle, request, expectations: [] });
    slot.uses++;
    slot.last = replay;
    this.reader.watch(replay);
    return replay;
  }

  /** The recompute of the first hour of a replay, which is a workflow of its own. */
  recomputeOf({ range, rules }: Replay): WorkflowHandle {
    const id = workflowIds.recompute(formatTime(range.fromMs), rules);
    return this.rig.client.workflow.getHandle(id);
  }

  /** Waits for the plan; `approve` lets the replay go on to its publication. */
  async plan({ handle }: Replay): Promise<{ approve(): Promise<void> }> {
    const hash = await until(
      'the plan waits for approval',
      async () => (await handle.query<WorkflowProgress>('progress')).awaitsApproval,
      { deadlineMs: RECOVERY_MS },
    );
    return {
      approve: async () => {
        await handle.executeUpdate('approve', { args: [{ hash, actor: 'grace' }] });
      },
    };
  }

  /** The result, by itself: nothing is done here but to ask, also while Temporal is away. */
  async result({ handle }: Replay): Promise<ReplayRangeResult> {
    return until(
      `${handle.workflowId} has a result`,
      async () => {
        try {
          return { value: (await handle.result()) as ReplayRangeResult };
        } catch (error) {
          if (error instanceof WorkflowFailedError) return { error };
          throw error;
        }
      },
      { deadlineMs: RECOVERY_MS },
    ).then(({ value, error }) => {
      if (value === undefined) throw error;
      return value;
    });
  }

  /** Waits until a replay has finished, and sees that nothing is wrong with it. */
  async finish(replay: Replay): Promise<void> {
    const slot = [...this.slots[1], ...this.slots[2]].find(({ last }) => last === replay);
    if (slot === undefined) return;
    const result = await this.result(replay);
    await this.reader.leave(replay);
    slot.last = undefined;
    await expectFinished(this.servers.pool, replay, result, this.checksums.get(replay.meaning));
    for (const expectation of replay.expectations) await expectation(result);
  }

  async finishAll(): Promise<void> {
    for (const { last } of [...this.slots[1], ...this.slots[2]]) {
      if (last !== undefined) await this.finish(last);
    }
  }

  async close(): Promise<void> {
    this.reader.stop();
    await this.reading;
    await this.worker.catch(() => undefined);
    await this.gates.end();
    await this.rig.close();
    await this.servers.close();
  }

  private async newRules(meaning: Meaning): Promise<string> {
    const own = { [`no-country-${String(++this.replays)}`]: 'XX' };
    const rules = {
      version: 1 as const,
      dimensions: [
        { name: 'country', field: 'country', map: { ...MAPS[meaning], ...own } },
        { name: 'device', field: 'device' },
      ],
    };
    const hash = hashRuleSet(rules);
    await this.servers.pool.query('insert into rule_sets (hash, body) values ($1, $2)', [
      hash,
      ruleSetBody(rules),
    ]);
    return hash;
  }
}
