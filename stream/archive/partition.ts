import { partitionKey } from '../../core/position.js';
import { TruecountError } from '../../core/errors.js';
import type { ArchiveLossRow, ArchivedRange } from '../../store/archive/flush.js';
import type { ArchiveAssignment } from '../../store/archive/progress.js';
import type { TopicPartition } from '../log-source.js';

/** What the archiver believes about one partition it owns. Thrown away when a commit is refused. */
export class ArchivePartition {
  readonly topic: string;
  readonly partition: number;
  readonly slot: number;
  epoch: number;
  /** `next_offset` in Postgres as of our last commit. */
  committedOffset: number;
  /** The next offset that we have not read. */
  position: number;
  logEndOffset: number | null = null;
  losses: ArchiveLossRow[] = [];
  private archived = 0;
  private rejected = 0;
  private lost = 0;
  private control = 0;

  /** `source` marks its clicks in the writer's buffer. */
  constructor(
    tp: TopicPartition,
    assignment: ArchiveAssignment,
    readonly source: number,
  ) {
    this.topic = tp.topic;
    this.partition = tp.partition;
    this.slot = assignment.slot;
    this.epoch = assignment.epoch;
    this.committedOffset = assignment.nextOffset;
    this.position = assignment.nextOffset;
  }

  get moved(): boolean {
    return this.position > this.committedOffset;
  }

  /** One record at `position`. */
  took(isClick: boolean): void {
    if (isClick) this.archived++;
    else this.rejected++;
    this.position++;
  }

  /** The log continues at `offset` instead of `position`: what lies between was never read. */
  skipTo(offset: number, reason: ArchiveLossRow['reason']): void {
    if (offset <= this.position) return;
    this.losses.push({ slot: this.slot, fromOffset: this.position, toOffset: offset, reason });
    this.lost += offset - this.position;
    this.position = offset;
  }

  /** Offsets below `offset` that hold no record (transaction markers, aborted records). */
  skipControl(offset: number): void {
    if (offset <= this.position) return;
    this.control += offset - this.position;
    this.position = offset;
  }

  /** What a commit says of the offsets since the last one. */
  range(): ArchivedRange {
    const { slot, epoch, logEndOffset, archived, rejected, lost, control } = this;
    const [fromOffset, toOffset] = [this.committedOffset, this.position];
    return { slot, epoch, fromOffset, toOffset, logEndOffset, archived, rejected, lost, control };
  }

  /** After a commit up to `position`. */
  committed(): void {
    this.committedOffset = this.position;
    this.losses = [];
    this.archived = this.rejected = this.lost = this.control = 0;
  }

  /** Throws log_went_backwards if the log ends below what is archived: it is another log. */
  refuseShorterLog(logEndOffset: number): void {
    if (logEndOffset >= this.committedOffset) return;
    throw new TruecountError(
      'log_went_backwards',
      `${partitionKey(this)} ends at ${String(logEndOffset)}, but ` +
        `${String(this.committedOffset)} offsets of it are archived: the topic was recreated or truncated`,
      { hint: 'read the new topic under another name; truecount never archives an offset twice' },
    );
  }
}
