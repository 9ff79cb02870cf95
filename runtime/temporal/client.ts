import { Client, Connection } from '@temporalio/client';
import { TruecountError } from '../../core/errors.js';
import type { Config } from '../config.js';

/** A client of the configured Temporal and namespace. */
export interface TemporalConnection {
  readonly client: Client;
  readonly connection: Connection;
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 5_000;

/** @throws TruecountError `dependency_unreachable` if no address is known */
export function temporalAddress(config: Config): string {
  if (config.temporalAddress !== undefined) return config.temporalAddress;
  throw new TruecountError('dependency_unreachable', 'no address of Temporal is known', {
    hint: 'start the embedded stack (npx truecount up --detach) or set TRUECOUNT_TEMPORAL_ADDRESS',
  });
}

/**
 * Connects to Temporal.
 * @throws TruecountError `dependency_unreachable` if it does not answer
 */
export async function openTemporal(config: Config): Promise<TemporalConnection> {
  const address = temporalAddress(config);
  try {
    const connection = await Connection.connect({ address, connectTimeout: CONNECT_TIMEOUT_MS });
    const client = new Client({
      connection,
      namespace: config.temporal.namespace,
      identity: `truecount#${String(process.pid)}`,
    });
    return { client, connection, close: () => connection.close() };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TruecountError('dependency_unreachable', `Temporal at ${address}: ${why}`, {
      hint: 'truecount doctor says what is wrong; nothing is lost while it is away',
      cause,
    });
  }
}
