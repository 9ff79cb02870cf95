import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { startTemporal } from '../../runtime/stack/temporal.js';
import type { Running } from '../../runtime/stack/component.js';
import { until } from './until.js';

/** A Temporal that a test file has for itself: a server, or a namespace of a given one. */
export interface TestTemporal {
  readonly address: string;
  readonly namespace: string;
  /** The dev server's own; null where an address was given, whose server is not ours to end. */
  readonly server: { readonly pid: number; restart(): Promise<void> } | null;
  close(): Promise<void>;
}

let namespaces = 0;

/**
 * Starts the dev server from the user's cache on free ports, or takes a fresh namespace of the one
 * that TRUECOUNT_TEMPORAL_ADDRESS names.
 */
export async function freshTemporal(): Promise<TestTemporal> {
  const given = process.env['TRUECOUNT_TEMPORAL_ADDRESS'];
  return given === undefined ? ownServer() : ownNamespace(given);
}

async function ownServer(): Promise<TestTemporal> {
  const dir = mkdtempSync(join(tmpdir(), 'truecount-temporal-'));
  let running: Running = await startTemporal({ dir });
  const { address } = running;
  return {
    address,
    namespace: 'default',
    server: {
      get pid() {
        return running.pid;
      },
      async restart() {
        process.kill(running.pid, 'SIGKILL');
        await running.stop();
        running = await startTemporal({ dir });
        if (running.address !== address) throw new Error('Temporal came back elsewhere');
      },
    },
    async close() {
      await running.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function ownNamespace(address: string): Promise<TestTemporal> {
  const namespace = `truecount-test-${String(process.pid)}-${String(++namespaces)}`;
  const connection = await Connection.connect({ address });
  try {
    const seconds = 24 * 3_600;
    await connection.workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: { seconds: seconds as unknown as Long },
    });
    await until(`namespace ${namespace}`, () =>
      connection.workflowService.describeNamespace({ namespace }),
    );
  } finally {
    await connection.close();
  }
  return { address, namespace, server: null, close: () => Promise.resolve() };
}

type Long = NonNullable<
  NonNullable<
    Parameters<
      Connection['workflowService']['registerNamespace']
    >[0]['workflowExecutionRetentionPeriod']
  >['seconds']
>;
