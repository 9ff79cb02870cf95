import type { Config } from '../runtime/config.js';
import type { TaskError } from '../runtime/task-messages.js';
import type { FileProgress, FileResult } from './ingest-file.js';
import type { LaneOptions } from './ingest-lane.js';

/** What the process of a lane is told: first whom to send to, then a file each time it is done. */
export type LaneOrder =
  /** With passwords, if there are any: they go by the pipe, not by arguments or the environment. */
  | { readonly kind: 'open'; readonly config: Config; readonly options: LaneOptions }
  | { readonly kind: 'send'; readonly path: string }
  | { readonly kind: 'close' };

/** What it says. */
export type LaneMessage =
  | { readonly kind: 'progress'; readonly path: string; readonly progress: FileProgress }
  | { readonly kind: 'told'; readonly words: string }
  | { readonly kind: 'done'; readonly result: FileResult | null }
  | { readonly kind: 'failed'; readonly error: TaskError };
