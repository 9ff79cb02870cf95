import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { TruecountError } from '../core/errors.js';
import type { Config } from '../runtime/config.js';
import { packageFile } from '../runtime/package-root.js';
import { unpackError } from '../runtime/task-messages.js';
import type { FileResult } from './ingest-file.js';
import type { Lane, LaneEvents, LaneOptions } from './ingest-lane.js';
import type { LaneMessage, LaneOrder } from './ingest-lane-messages.js';

interface Reply {
  readonly resolve: (result: FileResult | null) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A lane in a process of its own: reading and sending take a core, whatever Kafka does.
 * @throws TruecountError as `openLane` does.
 */
export async function openLaneProcess(
  config: Config,
  options: LaneOptions,
  events: LaneEvents,
): Promise<Lane> {
  const lane = new ChildLane(events);
  try {
    await lane.ask({ kind: 'open', config, options });
  } catch (error) {
    await lane.close();
    throw error;
  }
  return lane;
}

class ChildLane implements Lane {
  private readonly child: ChildProcess;
  private readonly closed: Promise<void>;
  private reply: Reply | undefined;
  private hasEnded = false;

  constructor(private readonly events: LaneEvents) {
    const script = packageFile('dist', 'cli', 'ingest-lane-process.js');
    // Stdin is read by the lane that is given it.
    this.child = spawn(process.execPath, [script], {
      stdio: ['inherit', 'ignore', 'inherit', 'ipc'],
    });
    this.child.on('message', (message: LaneMessage) => {
      this.take(message);
    });
    this.closed = new Promise((resolve) => {
      this.child.once('exit', (code, signal) => {
        this.hasEnded = true;
        this.reply?.reject(ended(signal ?? code));
        resolve();
      });
    });
  }

  async send(path: string): Promise<FileResult> {
    const result = await this.ask({ kind: 'send', path });
    return result!;
  }

  async close(): Promise<void> {
    await this.ask({ kind: 'close' }).catch(() => undefined);
    if (this.child.connected) this.child.disconnect();
    await this.closed;
  }

  ask(order: LaneOrder): Promise<FileResult | null> {
    if (this.hasEnded) return Promise.reject(ended(this.child.signalCode ?? this.child.exitCode));
    return new Promise((resolve, reject) => {
      this.reply = { resolve, reject };
      this.child.send(order);
    });
  }

  private take(message: LaneMessage): void {
    if (message.kind === 'progress') this.events.progress(message.path, message.progress);
    else if (message.kind === 'told') this.events.tell(message.words);
    else {
      const { reply } = this;
      this.reply = undefined;
      if (message.kind === 'done') reply?.resolve(message.result);
      else reply?.reject(unpackError(message.error));
    }
  }
}

function ended(by: string | number | null): TruecountError {
  return new TruecountError(
    'internal',
    `a process that sends files ended by itself: ${String(by)}`,
    {
      hint: 'run the same command again: it goes on where it was, and what was sent counts once',
    },
  );
}
