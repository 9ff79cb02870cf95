import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { PROGRAM, cleanEnvironment } from '../../support/command-line.js';
import { until } from '../../support/until.js';

export interface TailProcessOptions {
  /** Where no settings and no stack of anybody lie; the state is below it. */
  readonly home: string;
  readonly brokers: readonly string[];
  readonly topic: string;
  /** Arguments of `truecount tail`. */
  readonly args: readonly string[];
  /** Default: that of the package. */
  readonly program?: string;
}

/** `truecount tail` as a process of its own; ends with the test process. */
export class TailProcess {
  readonly lines: string[] = [];
  url = '';

  private constructor(readonly child: ChildProcess) {
    child.on('message', (message: { url?: string }) => (this.url = message.url ?? ''));
    createInterface({ input: child.stderr! }).on('line', (line) => {
      this.lines.push(line);
      if (process.env['TEST_LOG'] !== undefined) console.log(line);
    });
  }

  /** Resolves when it runs. */
  static async start(options: TailProcessOptions): Promise<TailProcess> {
    const env = cleanEnvironment({
      TRUECOUNT_HOME: options.home,
      TRUECOUNT_KAFKA_BROKERS: options.brokers.join(),
    });
    const common = ['--topic', options.topic, '--poll-ms', '20', '--source', 'test-host'];
    const program = options.program ?? PROGRAM;
    const child = spawn(process.execPath, [program, 'tail', ...options.args, ...common], {
      cwd: options.home,
      env,
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    const tail = new TailProcess(child);
    await until('the tail runs', () => tail.url !== '' || tail.hasEnded);
    if (tail.hasEnded) throw new Error(`the tail ended:\n${tail.lines.join('\n')}`);
    return tail;
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    this.child.kill(signal);
    await until('the tail has ended', () => this.hasEnded);
    return this.child.exitCode;
  }

  /** A metric, summed over labels. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    return text
      .split('\n')
      .filter((line) => line.startsWith(name) && /^[ {]/.test(line.slice(name.length)))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  /** Resolves when all files are read to their ends and acknowledged. */
  async untilDrained(deadlineMs = 30_000): Promise<void> {
    let times = 0;
    await until(
      'nothing waits to be read',
      async () => {
        const { ok } = await fetch(`${this.url}/health`);
        const isDrained = ok && (await this.metric('truecount_tail_lag_bytes')) === 0;
        times = isDrained ? times + 1 : 0;
        return times >= 3;
      },
      { deadlineMs, everyMs: 50 },
    );
  }
}
