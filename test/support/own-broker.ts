import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Running } from '../../runtime/stack/component.js';
import { startKafka } from '../../runtime/stack/kafka.js';
import { end } from '../../runtime/stack/process.js';

/** A broker of one test file, which kills and freezes it: that of the others is shared. */
export class OwnBroker {
  private constructor(
    /** For whatever the test keeps; `close` removes it. */
    readonly folder: string,
    private running: Running,
  ) {}

  static async start(): Promise<OwnBroker> {
    const folder = await mkdtemp(join(tmpdir(), 'truecount-broker-'));
    return new OwnBroker(folder, await startIn(folder));
  }

  get address(): string {
    return this.running.address;
  }

  get pid(): number {
    return this.running.pid;
  }

  async kill(): Promise<void> {
    await end(this.running.process, { first: 'SIGKILL', deadlineMs: 20_000 });
  }

  async stop(): Promise<void> {
    await this.running.stop();
  }

  /** With the data that it had, and at the same address. */
  async startAgain(): Promise<void> {
    this.running = await startIn(this.folder);
  }

  async close(): Promise<void> {
    await this.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

function startIn(folder: string): Promise<Running> {
  return startKafka({ dir: join(folder, 'kafka'), heapMegabytes: 256 });
}
