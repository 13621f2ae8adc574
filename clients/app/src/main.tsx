import "@carillon/shared/look/base.css";
import "@carillon/shared/parts/controls.css";
import "./app.css";

import { MemberScreen, openMemberScreen } from "@carillon/shared/screen/MemberScreen";
import { mount } from "@carillon/shared/screen/mount";
import { openOffline } from "@carillon/shared/screen/offline";

import { App } from "./App";
import { forget, hasKept } from "./kept";

const opened = openMemberScreen("app");

mount(
  <MemberScreen opened={opened} channel="APP" hasKept={hasKept} onSignedOut={forget}>
    {(session) => <App session={session} />}
  </MemberScreen>,
);

openOffline();
