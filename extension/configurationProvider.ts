/** From F5 to the launch arguments that the adapter gets. */
import path from 'node:path';
import * as vscode from 'vscode';
import { configurationFor, isGuest, validate } from './configuration.js';
import type { Files, UserConfiguration } from './configuration.js';
import { DEBUG_TYPE } from './session.js';

export const files: Files = {
  async exists(file) {
    try {
      await vscode.workspace.fs.stat(vscode.Uri.file(file));
      return true;
    } catch {
      return false;
    }
  },
  async head(file, length) {
    try {
      return (await vscode.workspace.fs.readFile(vscode.Uri.file(file))).subarray(0, length);
    } catch {
      return new Uint8Array();
    }
  },
};

/** Launch attributes that are files or folders; relative ones are meant from `cwd`. */
const PATHS = ['program', 'handlers'] as const;
const PATH_LISTS = ['modules', 'includeFolders'] as const;
const BUILT_IN_HOSTS = ['kvm', 'none'];

export class ConfigurationProvider implements vscode.DebugConfigurationProvider {
  /** An empty configuration is F5 without launch.json: it means the file in front. */
  async resolveDebugConfiguration(
    _folder: vscode.WorkspaceFolder | undefined,
    configuration: vscode.DebugConfiguration,
  ): Promise<vscode.DebugConfiguration | undefined> {
    if (configuration.type || configuration.request || configuration.name) return configuration;
    const file = frontFile();
    if (file === undefined || !(await isGuest(file, files))) {
      void vscode.window.showErrorMessage(
        'Hyperstep debugs guest programs: open an assembly file (.S), a C file or an ELF file and press F5 again.',
      );
      return undefined;
    }
    return (await configurationFor(file, files)) as vscode.DebugConfiguration;
  }

  resolveDebugConfigurationWithSubstitutedVariables(
    folder: vscode.WorkspaceFolder | undefined,
    configuration: vscode.DebugConfiguration,
  ): vscode.DebugConfiguration | null | undefined {
    const fault = validate(configuration);
    if (fault !== undefined) {
      void showConfigurationError(`Launch configuration "${configuration.name}": ${fault}`);
      return undefined;
    }
    return absolutePaths(configuration, folder?.uri.fsPath) as vscode.DebugConfiguration;
  }
}

/** Offers the guest in front in the list of configurations, without a launch.json. */
export const dynamicConfigurations: vscode.DebugConfigurationProvider = {
  async provideDebugConfigurations() {
    const file = frontFile();
    if (file === undefined || !(await isGuest(file, files))) return [];
    return [(await configurationFor(file, files)) as vscode.DebugConfiguration];
  },
};

/** Starts a session on a guest, as F5 without launch.json would. */
export async function debugGuest(uri: vscode.Uri | undefined): Promise<void> {
  const file = uri?.fsPath ?? frontFile();
  if (file === undefined) throw new Error('no guest program is open.');
  if (!(await isGuest(file, files))) throw new Error(`${file} is neither assembly, C nor an ELF file.`);
  const folder = vscode.workspace.getWorkspaceFolder(vscode.Uri.file(file));
  const configuration = (await configurationFor(file, files)) as vscode.DebugConfiguration;
  await vscode.debug.startDebugging(folder, configuration);
}

function absolutePaths(configuration: UserConfiguration, folder: string | undefined): UserConfiguration {
  const cwd = String(configuration.cwd ?? folder ?? path.dirname(String(configuration.program)));
  const absolute = (file: unknown): string => path.resolve(cwd, String(file));
  const resolved: UserConfiguration = { ...configuration, cwd };
  for (const name of PATHS) {
    if (configuration[name] !== undefined) resolved[name] = absolute(configuration[name]);
  }
  for (const name of PATH_LISTS) {
    if (configuration[name] !== undefined) resolved[name] = (configuration[name] as string[]).map(absolute);
  }
  const { host } = configuration;
  if (host !== undefined && !BUILT_IN_HOSTS.includes(String(host))) resolved.host = absolute(host);
  return resolved;
}

/** The file of the editor in front, be it text or (an ELF) one of another kind. */
function frontFile(): string | undefined {
  const input = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
  const uri =
    input instanceof vscode.TabInputText || input instanceof vscode.TabInputCustom
      ? input.uri
      : vscode.window.activeTextEditor?.document.uri;
  return uri?.scheme === 'file' ? uri.fsPath : undefined;
}

async function showConfigurationError(message: string): Promise<void> {
  const open = 'Open launch.json';
  if ((await vscode.window.showErrorMessage(message, open)) === open) {
    await vscode.commands.executeCommand('workbench.action.debug.configure', DEBUG_TYPE);
  }
}
