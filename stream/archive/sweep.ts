import type pg from 'pg';
import type { Logger } from 'pino';
import type { LakeStore } from '../../lake/store.js';
import { CLICKS_PREFIX } from '../../lake/store.js';
import { archiveEpochs, listedKeys } from '../../store/lake/epochs.js';
import { openSession } from '../../store/session.js';

/** Keys compared with the manifest in one statement. */
const KEYS_PER_QUERY = 1_000;
/** `<slot>-e<epoch>-<random>.parquet`, the name of every file of clicks. */
const NAME = /\/(\d+)-e(\d+)-[0-9a-f]+\.parquet$/;

export interface SweepResult {
  /** Objects under clicks/. */
  readonly looked: number;
  /** Keys removed: unlisted, and of an epoch that can commit nothing any more. */
  readonly removed: readonly string[];
  /** Unlisted, but its writer may still commit it. */
  readonly waiting: number;
}

/**
 * Removes files of clicks that no commit has listed and none can list any more. The epochs are read
 * first: whatever an older epoch has committed is then in the manifest, and it can commit no more.
 * Whatever else lies in the lake is left alone.
 */
export async function sweepLake(client: pg.ClientBase, lake: LakeStore): Promise<SweepResult> {
  const epochs = await archiveEpochs(client);
  const removed: string[] = [];
  let looked = 0;
  let waiting = 0;
  let keys: string[] = [];
  const sweepKeys = async (): Promise<void> => {
    const listed = await listedKeys(client, keys);
    for (const key of keys) {
      if (listed.has(key)) continue;
      const [, slot, epoch] = NAME.exec(key)!;
      if (Number(epoch) < (epochs.get(Number(slot)) ?? 0)) {
        await lake.remove(key);
        removed.push(key);
      } else waiting++;
    }
    keys = [];
  };
  for await (const { key } of lake.list(CLICKS_PREFIX)) {
    looked++;
    if (!NAME.test(key)) continue;
    keys.push(key);
    if (keys.length === KEYS_PER_QUERY) await sweepKeys();
  }
  await sweepKeys();
  return { looked, removed, waiting };
}

/** No upload lasts that long: the process that began it is no more. */
const UPLOAD_AGE_MS = 24 * 3_600_000;

/**
 * Removes what uploads have left that began a day before `nowMs` and never ended: those of killed
 * processes, whichever service they were. Returns their names.
 * @throws TruecountError `lake_unavailable`
 */
export async function sweepUploads(lake: LakeStore, nowMs: number): Promise<string[]> {
  const removed: string[] = [];
  for await (const { name, sinceMs } of lake.unfinished()) {
    if (sinceMs >= nowMs - UPLOAD_AGE_MS) continue;
    await lake.discard(name);
    removed.push(name);
  }
  return removed;
}

export interface SweeperOptions {
  readonly owner: string;
  readonly postgres: pg.ClientConfig;
  readonly lake: LakeStore;
  readonly intervalMs: number;
}

/** Sweeps now and then, in a session of its own. A sweep that fails is tried at the next time. */
export class Sweeper {
  private timer: NodeJS.Timeout | null = null;
  private running: Promise<void> = Promise.resolve();
  private waits = false;
  private stopping = false;

  constructor(
    private readonly options: SweeperOptions,
    private readonly log: Logger,
    private readonly onRemoved: (count: number) => void,
  ) {}

  start(): void {
    this.timer = setInterval(() => {
      this.sweepSoon();
    }, this.options.intervalMs);
  }

  /** Now, or after the sweep that is under way. */
  sweepSoon(): void {
    if (this.waits) return;
    this.waits = true;
    this.running = this.running.then(() => {
      this.waits = false;
      return this.stopping ? undefined : this.sweep();
    });
  }

  async stop(): Promise<void> {
    this.stopping = true;
    if (this.timer !== null) clearInterval(this.timer);
    await this.running;
  }

  private async sweep(): Promise<void> {
    const { owner, postgres: connection, lake } = this.options;
    try {
      const uploads = await sweepUploads(lake, Date.now());
      this.onRemoved(uploads.length);
      if (uploads.length > 0) this.log.info({ uploads }, 'uploads that never ended removed');
      const applicationName = `truecount-archive-sweep ${owner}`;
      const client = await openSession({ connection, applicationName });
      try {
        const result = await sweepLake(client, lake);
        this.onRemoved(result.removed.length);
        if (result.removed.length > 0) this.log.info(result, 'files that nobody listed removed');
      } finally {
        await client.end();
      }
    } catch (error) {
      this.log.warn({ err: error }, 'a sweep of the lake failed');
    }
  }
}
