import "./workers";

import { DOC_EXPLORER_PLUGIN, DocExplorerStore } from "@graphiql/plugin-doc-explorer";
import { HISTORY_PLUGIN, HistoryStore } from "@graphiql/plugin-history";
import { GraphiQLProvider } from "@graphiql/react";
import { GraphiQL, GraphiQLInterface } from "graphiql";
import { createRoot } from "react-dom/client";

import "graphiql/style.css";

import { Bar } from "./Bar";
import { Session } from "./session";
import "./style.css";
import { WELCOME, WELCOME_VARIABLES } from "./welcome";

const PLUGINS = [DOC_EXPLORER_PLUGIN, HISTORY_PLUGIN];
const session = new Session();

function Playground() {
  return (
    <GraphiQLProvider
      fetcher={session.fetcher}
      plugins={PLUGINS}
      referencePlugin={DOC_EXPLORER_PLUGIN}
      defaultQuery={WELCOME}
      initialVariables={WELCOME_VARIABLES}
      inputValueDeprecation
      schemaDescription
    >
      <Bar session={session} />
      <main className="workbench">
        <HistoryStore>
          <DocExplorerStore>
            <GraphiQLInterface defaultEditorToolsVisibility="variables" showPersistHeadersSettings={false}>
              <GraphiQL.Logo>
                Graph<em>i</em>QL
              </GraphiQL.Logo>
            </GraphiQLInterface>
          </DocExplorerStore>
        </HistoryStore>
      </main>
    </GraphiQLProvider>
  );
}

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root.");
createRoot(root).render(<Playground />);
