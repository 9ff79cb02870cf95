import { APPROVE_UPDATE } from '../workflows/contract.js';
import type { PAUSE_SIGNAL, RESUME_SIGNAL } from '../workflows/contract.js';
import type { StartOptions } from '../workflows/start-options.js';

/** Which Temporal a command is for. */
export interface TemporalPlace {
  /** host:port of the frontend. */
  readonly address: string;
  readonly namespace: string;
  /** Address of the UI; undefined: not known. */
  readonly uiUrl: string | undefined;
  /** What the shell calls the `temporal` CLI by: its name, or a path. */
  readonly cli: string;
}

/** One word of a POSIX shell, quoted where it has to be (POSIX.1-2017, 2.2.2 Single-Quotes). */
export function shellWord(text: string): string {
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(text)) return text;
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A command line that a POSIX shell takes apart into exactly these words. */
export function shellLine(words: readonly string[]): string {
  return words.map(shellWord).join(' ');
}

/** The command that starts the same workflow with the same input; it works as printed. */
export function startCommand(
  place: TemporalPlace,
  { workflowType, workflowId, taskQueue }: StartOptions,
  input: object,
): string {
  return shellLine([
    ...[place.cli, 'workflow', 'start', ...where(place)],
    ...['--task-queue', taskQueue, '--type', workflowType, '--workflow-id', workflowId],
    ...['--input', JSON.stringify(input)],
  ]);
}

/** The command that pauses or resumes a workflow. */
export function signalCommand(
  place: TemporalPlace,
  workflowId: string,
  signal: typeof PAUSE_SIGNAL | typeof RESUME_SIGNAL,
): string {
  return shellLine([
    ...[place.cli, 'workflow', 'signal', ...where(place)],
    ...['--workflow-id', workflowId, '--name', signal],
  ]);
}

/** The command that approves the plan that a workflow waits with. */
export function approveCommand(
  place: TemporalPlace,
  workflowId: string,
  approval: { readonly hash: string; readonly actor: string },
): string {
  return shellLine([
    ...[place.cli, 'workflow', 'update', 'execute', ...where(place)],
    ...['--workflow-id', workflowId, '--name', APPROVE_UPDATE],
    ...['--input', JSON.stringify(approval)],
  ]);
}

/** The page of a run in the Temporal UI; null where its address is not known. */
export function uiLink({ uiUrl, namespace }: TemporalPlace, id: string, runId: string) {
  if (uiUrl === undefined) return null;
  const path = ['namespaces', namespace, 'workflows', id, runId, 'history'];
  return `${uiUrl.replace(/\/+$/, '')}/${path.map(encodeURIComponent).join('/')}`;
}

function where({ address, namespace }: TemporalPlace): string[] {
  return ['--address', address, '--namespace', namespace];
}
