import "@carillon/shared/look/base.css";
import "@carillon/shared/parts/controls.css";
import "./site.css";

import { MemberScreen, openMemberScreen } from "@carillon/shared/screen/MemberScreen";
import { mount } from "@carillon/shared/screen/mount";

import { Site } from "./Site";

const opened = openMemberScreen("site");

mount(
  <MemberScreen opened={opened} channel="WEB">
    {(session) => <Site session={session} />}
  </MemberScreen>,
);
