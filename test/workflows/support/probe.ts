import { proxySinks } from '@temporalio/workflow';
import type { Sinks, WorkflowInterceptorsFactory } from '@temporalio/workflow';

/** Tells a test what a workflow asks for; only test bundles hold it. */
export interface ProbeSinks extends Sinks {
  probe: {
    scheduled(activityType: string, args: unknown[]): void;
  };
}

const { probe } = proxySinks<ProbeSinks>();

export const interceptors: WorkflowInterceptorsFactory = () => ({
  outbound: [
    {
      scheduleActivity(input, next) {
        probe.scheduled(input.activityType, input.args);
        return next(input);
      },
      continueAsNew(input, next) {
        probe.scheduled('continueAsNew', input.args);
        return next(input);
      },
    },
  ],
});
