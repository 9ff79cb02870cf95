import { condition, defineUpdate, setHandler } from '@temporalio/workflow';
import { checked } from './checked.js';
import { checkApprove, checkReject } from './checks.js';
import { APPROVE_UPDATE, REJECT_UPDATE } from './contract.js';
import type { ApproveInput, RejectInput } from './contract.js';
import { refuse } from './failures.js';
import type { Run } from './run.js';

/** A person's decision over a plan. */
export class Approval {
  #awaited: string | null = null;
  #decision: { readonly approved: boolean; readonly by: string; readonly why: string } | undefined;

  /** Takes updates from now on; they are refused while no plan waits. */
  constructor() {
    setHandler(
      defineUpdate<string, [ApproveInput]>(APPROVE_UPDATE),
      (input) => {
        const { hash, actor } = checkApprove(input);
        this.#decision = { approved: true, by: actor, why: '' };
        return `approved ${hash}`;
      },
      {
        validator: (input: unknown) => {
          this.#assertAwaited();
          const { hash } = checked(input, checkApprove);
          if (hash === this.#awaited) return;
          throw refuse(
            'approval_stale',
            `the plan is ${this.#awaited ?? ''}, not ${hash.slice(0, 64)}`,
            'look at the plan again, and approve the hash that the progress shows',
          );
        },
        description: 'Publish the plan: {"hash": "as the progress shows", "actor": "who"}.',
      },
    );
    setHandler(
      defineUpdate<string, [RejectInput]>(REJECT_UPDATE),
      (input) => {
        const { actor, reason } = checkReject(input);
        this.#decision = { approved: false, by: actor, why: reason };
        return 'rejected';
      },
      {
        validator: (input: unknown) => {
          this.#assertAwaited();
          checked(input, checkReject);
        },
        description: 'Publish nothing: {"actor": "who", "reason": "why"}.',
      },
    );
  }

  /**
   * Waits until the plan is approved, and says by whom. A rejection, and nobody's answer in time,
   * end the run: nothing is published unless somebody said so.
   * @param words what the plan is, for whoever decides
   */
  async of(hash: string, words: string, timeoutMs: number, run: Run): Promise<string> {
    this.#awaited = hash;
    run.show({ stage: 'approval', awaitsApproval: hash, detail: words });
    await condition(() => this.#decision !== undefined, timeoutMs);
    this.#awaited = null;
    run.show({ awaitsApproval: null, detail: '' });
    const decision = this.#decision;
    if (decision === undefined) {
      throw refuse('conflict', `nobody approved the plan ${hash} in time: nothing was published`);
    }
    const { approved, by, why } = decision;
    if (!approved) throw refuse('conflict', `${by} rejected the plan: ${why}`);
    return by;
  }

  #assertAwaited(): void {
    if (this.#awaited !== null && this.#decision === undefined) return;
    throw refuse('conflict', 'no plan waits for approval', 'the progress shows when one does');
  }
}
