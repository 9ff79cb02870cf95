import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { beginsWith } from '../../ingest/tail/known-file.js';
import type { KnownFile, SeenFile } from '../../ingest/tail/known-file.js';
import { pairOf } from '../../ingest/tail/plan.js';
import { known, plan, seen } from './support/plan-values.js';

/** A folder as values: names to inodes, inodes to content. Inodes are used again. */
class World {
  readonly names = new Map<string, number>([['a', 1]]);
  readonly content = new Map<number, { text: string; gz: boolean }>([[1, { text: '', gz: false }]]);
  private readonly firstSeen = new Map<number, number>();
  private lines = 0;

  constructor(private readonly header: string) {
    this.content.get(1)!.text = header;
  }

  append(count: number): void {
    const file = this.content.get(this.names.get('a')!)!;
    // Longer than a sample after a few, and told apart by their first characters.
    for (let i = 0; i < count; i++) file.text += `${String(this.lines++).padEnd(300, '.')}\n`;
  }

  rename(): void {
    this.shift();
    this.names.set('a.1', this.names.get('a')!);
    this.names.set('a', this.create(this.header));
  }

  copyTruncate(): void {
    this.shift();
    const file = this.content.get(this.names.get('a')!)!;
    this.names.set('a.1', this.create(file.text));
    file.text = this.header;
  }

  gzip(i: number): void {
    const name = `a.${String(i)}`;
    const inode = this.names.get(name);
    if (inode === undefined) return;
    this.names.delete(name);
    this.names.set(`${name}.gz`, this.create(this.content.get(inode)!.text, true));
    this.content.delete(inode);
  }

  /** The lowest inode that is free, as file systems do. */
  private create(text: string, gz = false): number {
    let inode = 1;
    while (this.content.has(inode)) inode++;
    this.content.set(inode, { text, gz });
    this.firstSeen.delete(inode);
    return inode;
  }

  private shift(): void {
    for (let i = 8; i > 0; i--) {
      for (const gz of ['', '.gz']) {
        const inode = this.names.get(`a.${String(i)}${gz}`);
        if (inode === undefined) continue;
        this.names.delete(`a.${String(i)}${gz}`);
        this.names.set(`a.${String(i + 1)}${gz}`, inode);
      }
    }
  }

  seen(nowMs: number): SeenFile[] {
    return [...this.names].map(([path, inode]) => {
      const { text, gz } = this.content.get(inode)!;
      return seen(`1:${String(inode)}`, text, {
        path,
        gz,
        firstSeenMs: this.firstSeenMs(inode, nowMs),
      });
    });
  }

  private firstSeenMs(inode: number, nowMs: number): number {
    if (!this.firstSeen.has(inode)) this.firstSeen.set(inode, nowMs);
    return this.firstSeen.get(inode)!;
  }

  textOf(fileId: string): string {
    return this.content.get(Number(fileId.slice(2)))!.text;
  }
}

/** What the tail does with decisions, on values. */
class Model {
  all: KnownFile[] = [];
  /** The bytes behind each position, by its number: what must never be passed over unread. */
  readonly ghosts = new Map<number, string>();
  readonly read: string[] = [];
  private readonly refuted = new Set<string>();
  private nextId = 1;

  poll(world: World, nowMs: number, linesMax: number): void {
    const { decisions, forget } = plan({
      known: this.all,
      seen: world.seen(nowMs),
      refuted: this.refuted,
      nowMs,
      forgetMs: 1e9,
    });
    this.all = this.all.filter((one) => !forget.includes(one));
    for (const decision of decisions) {
      const { file } = decision;
      const text = world.textOf(file.fileId);
      if (decision.kind === 'go_on') this.goOn(decision.known, file, text, linesMax);
      if (decision.kind === 'begin') this.add({ ...known(0, ''), id: 0 }, file, '');
      if (decision.kind === 'compare') {
        for (const one of decision.candidates) {
          if (this.matches(one, file, text)) {
            this.add(one, file, this.ghosts.get(one.id)!.slice(0, one.offset));
            break;
          }
        }
      }
    }
  }

  private add(from: KnownFile, file: SeenFile, ghost: string): void {
    const id = this.nextId++;
    this.all.push({ ...from, id, path: file.path, fileId: file.fileId });
    this.ghosts.set(id, ghost);
  }

  private matches(one: KnownFile, file: SeenFile, text: string): boolean {
    const tail = Buffer.from(text).subarray(one.offset - one.tail.bytes, one.offset);
    if (beginsWith(tail, one.tail)) return true;
    this.refuted.add(pairOf(one, file));
    return false;
  }

  private goOn(one: KnownFile, file: SeenFile, text: string, linesMax: number): void {
    if (!this.matches(one, file, text)) return;
    expect(text.startsWith(this.ghosts.get(one.id)!), 'what was passed over was read').toBe(true);
    const lines = text.slice(one.offset).split('\n').slice(0, -1).slice(0, linesMax);
    this.read.push(...lines.map((line) => line.slice(0, 10)));
    const to = one.offset + lines.reduce((sum, line) => sum + line.length + 1, 0);
    const { offset, head, tail } = known(0, text.slice(0, to));
    this.all = this.all.map((k) => (k.id === one.id ? { ...k, offset, head, tail } : k));
    this.ghosts.set(one.id, text.slice(0, to));
  }
}

describe('planFiles on any history of rotations', () => {
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('append' as const),
        n: fc.integer({ min: 0, max: 9 }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('poll' as const),
        n: fc.integer({ min: 1, max: 9 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('rename' as const), n: fc.constant(0) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('copy' as const), n: fc.constant(0) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('gzip' as const),
        n: fc.integer({ min: 1, max: 5 }),
      }),
    },
  );
  const header = fc.constantFrom('', 'ad,at\n', `${'column,'.repeat(300)}\n`);

  function play(
    head: string,
    steps: readonly { kind: string; n: number }[],
  ): { read: string[]; written: string[] } {
    const world = new World(head);
    const model = new Model();
    let nowMs = 1_000;
    let written = 0;
    for (const { kind, n } of steps) {
      nowMs += 1;
      if (kind === 'append') {
        world.append(n);
        written += n;
      } else if (kind === 'poll') model.poll(world, nowMs, n);
      else if (kind === 'rename') world.rename();
      else if (kind === 'copy') world.copyTruncate();
      else world.gzip(n);
    }
    for (let i = 0; i < 12; i++) model.poll(world, nowMs + 1_000 * i, 1_000);
    const numbers = Array.from({ length: written }, (_, i) => String(i).padEnd(10, '.'));
    return { read: model.read, written: numbers };
  }

  it('reads every line, and no other bytes are passed over than those that were read', () => {
    fc.assert(
      fc.property(header, fc.array(step, { maxLength: 40 }), (head, steps) => {
        const { read, written } = play(head, steps);
        const all = new Set(read);
        expect(written.filter((line) => !all.has(line))).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });

  it('reads no line twice where nothing is copied beside its original', () => {
    fc.assert(
      fc.property(header, fc.array(step, { maxLength: 40 }), (head, steps) => {
        const { read } = play(
          head,
          steps.filter(({ kind }) => kind !== 'copy'),
        );
        const lines = read.filter((line) => /^\d/.test(line));
        expect(lines).toHaveLength(new Set(lines).size);
      }),
      { numRuns: 150 },
    );
  });
});
