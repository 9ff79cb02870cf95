import { bundleWorkflowCode } from '@temporalio/worker';
import type { Logger as SdkLogger, WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { packageFile } from '../package-root.js';

/**
 * Bundles the compiled workflows (about a second). It fails if they hold a Node module or a package
 * that workflow code may not use; the reason is in the log only.
 */
export function bundleWorkflows(
  logger?: SdkLogger,
  workflowsPath = packageFile('dist', 'workflows', 'all.js'),
): Promise<WorkflowBundleWithSourceMap> {
  return bundleWorkflowCode({ workflowsPath, ...(logger === undefined ? {} : { logger }) });
}
