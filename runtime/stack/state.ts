import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isRunning, type ProcessRef } from './process.js';

export type ComponentName = 'postgres' | 'kafka' | 'temporal';

/** A component that the stack started. Its ports are kept from one start to the next. */
export interface ComponentState {
  readonly process: ProcessRef;
  /** What a client connects to: a URL, brokers, or host:port. */
  readonly address: string;
  /** Web page of the component, if it has one. */
  readonly ui?: string;
}

/** A service that the supervisor runs. */
export interface ServiceState {
  readonly name: string;
  /** Null between an end and the next start. */
  readonly process: ProcessRef | null;
  /** Base URL of its /metrics and /health. */
  readonly url: string | null;
  readonly restarts: number;
}

/** `stack.json` under the home folder: what runs, and where it is reached. */
export interface StackState {
  readonly version: 1;
  readonly supervisor: ProcessRef | null;
  readonly components: Readonly<Partial<Record<ComponentName, ComponentState>>>;
  readonly services: readonly ServiceState[];
}

const EMPTY: StackState = { version: 1, supervisor: null, components: {}, services: [] };

function stateFile(home: string): string {
  return join(home, 'stack.json');
}

/** What was last written; an empty state where there is none or it is no longer readable. */
export function readState(home: string): StackState {
  try {
    const state = JSON.parse(readFileSync(stateFile(home), 'utf8')) as StackState;
    return state.version === 1 ? state : EMPTY;
  } catch {
    return EMPTY;
  }
}

/** Replaces the state in one step: a reader sees the old or the new one. Owner-only: it holds URLs. */
export function writeState(home: string, state: StackState): void {
  mkdirSync(home, { recursive: true });
  const file = stateFile(home);
  const next = `${file}.${String(process.pid)}`;
  writeFileSync(next, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  renameSync(next, file);
}

export function clearState(home: string): void {
  rmSync(stateFile(home), { force: true });
}

/** Addresses of components that run now, by the key of the setting they fill. */
export function stackAddresses(home: string): Readonly<Record<string, unknown>> {
  const { components } = readState(home);
  const values: Record<string, unknown> = {};
  const { postgres, kafka, temporal } = components;
  if (postgres !== undefined && isRunning(postgres.process))
    values['postgresUrl'] = postgres.address;
  if (kafka !== undefined && isRunning(kafka.process)) {
    values['kafka.brokers'] = kafka.address.split(',');
  }
  if (temporal !== undefined && isRunning(temporal.process)) {
    values['temporalAddress'] = temporal.address;
    if (temporal.ui !== undefined) values['temporal.uiUrl'] = temporal.ui;
  }
  return values;
}
