import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Config } from '../../runtime/config.js';
import { packageFile } from '../../runtime/package-root.js';
import { NAIVE_SCHEMA } from '../peers/naive-node.js';
import type { NaiveProgress, NaiveTask } from '../peers/naive-node.js';
import { serviceEnvironment } from '../support/world.js';
import type { World } from '../support/world.js';
import { CELLS_OF_NAIVE, CELLS_OF_TRUECOUNT } from './truth.js';

/** Something that counts the topic, as processes. */
export interface Counting {
  readonly processes: readonly ChildProcess[];
  /** When the first record was read, epoch ms; undefined before. */
  firstMs(): number | undefined;
  /** Records whose counts are committed, and so visible to a reader. */
  visible(): Promise<number>;
}

export interface Contestant {
  readonly name: string;
  readonly processes: number;
  /** SQL that gives its cells. */
  readonly cells: string;
  start(world: World, config: Config): Promise<Counting>;
}

const CLI = ['dist', 'cli', 'main.js'];
const NAIVE = ['dist', 'bench', 'peers', 'naive-node.js'];

/** `truecount run stream`, as in production; `nodeArgs` for a profile. */
export function truecount(processes: number, nodeArgs: readonly string[] = []): Contestant {
  return {
    name: 'truecount',
    processes,
    cells: CELLS_OF_TRUECOUNT,
    start({ pool }, config) {
      const env = serviceEnvironment(config);
      const workers = Array.from({ length: processes }, () =>
        spawn(process.execPath, [...nodeArgs, packageFile(...CLI), 'run', 'stream'], {
          env,
          stdio: ['ignore', 'ignore', 'pipe'],
        }),
      );
      const firsts: number[] = [];
      for (const worker of workers) {
        createInterface({ input: worker.stderr }).on('line', (line) => {
          const at = assignedAt(line);
          if (at !== undefined) firsts.push(at);
        });
      }
      return Promise.resolve({
        processes: workers,
        firstMs: () => (firsts.length === 0 ? undefined : Math.min(...firsts)),
        async visible() {
          const { rows } = await pool.query<{ n: string }>(
            'select coalesce(sum(next_offset), 0) as n from stream_progress',
          );
          return Number(rows[0]!.n);
        },
      });
    },
  };
}

/** A worker logs this right before it reads: a little earlier than its first record. */
function assignedAt(line: string): number | undefined {
  if (!line.includes('"partitions assigned"')) return undefined;
  const { time, partitions } = JSON.parse(line) as { time: number; partitions: string[] };
  return partitions.length > 0 ? time : undefined;
}

export function naiveNode(processes: number): Contestant {
  return {
    name: 'ordinary Node consumer',
    processes,
    cells: CELLS_OF_NAIVE,
    async start({ pool }, config) {
      await pool.query(NAIVE_SCHEMA);
      const task: NaiveTask = {
        brokers: config.kafka.brokers!,
        postgresUrl: config.postgresUrl!,
        topic: config.topics[0]!,
        groupId: config.groupId,
      };
      const latest = new Map<ChildProcess, NaiveProgress>();
      const consumers = Array.from({ length: processes }, () => fork(packageFile(...NAIVE)));
      for (const consumer of consumers) {
        consumer.on('message', (progress) => latest.set(consumer, progress as NaiveProgress));
        consumer.send(task);
      }
      return {
        processes: consumers,
        firstMs() {
          const firsts = [...latest.values()].map((progress) => progress.firstMs);
          return firsts.length === 0 ? undefined : Math.min(...firsts);
        },
        visible() {
          return Promise.resolve([...latest.values()].reduce((sum, p) => sum + p.written, 0));
        },
      };
    },
  };
}

/** Ends the processes in their orderly way. */
export async function end(processes: readonly ChildProcess[]): Promise<void> {
  await Promise.all(
    processes.map(async (child) => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    }),
  );
}
