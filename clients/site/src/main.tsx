import "@carillon/shared/look/base.css";
import "@carillon/shared/parts/controls.css";
import "./site.css";

import { MemberScreen, setUpMemberScreen } from "@carillon/shared/screen/MemberScreen";
import { mount } from "@carillon/shared/screen/mount";

import { Site } from "./Site";

const setup = setUpMemberScreen("site");

mount(
  <MemberScreen setup={setup} channel="WEB">
    {(session) => <Site session={session} />}
  </MemberScreen>,
);
