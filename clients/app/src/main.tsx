import "@carillon/shared/look/base.css";
import "@carillon/shared/parts/controls.css";
import "./app.css";

import { MemberScreen, setUpMemberScreen } from "@carillon/shared/screen/MemberScreen";
import { mount } from "@carillon/shared/screen/mount";
import { openOffline } from "@carillon/shared/screen/offline";

import { App } from "./App";
import { clearCache, hasCachedState } from "./offlineCache";

const setup = setUpMemberScreen("app");

mount(
  <MemberScreen setup={setup} channel="APP" hasCachedState={hasCachedState} onSignedOut={clearCache}>
    {(session) => <App session={session} />}
  </MemberScreen>,
);

openOffline();
