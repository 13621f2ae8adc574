import { type MemberStateFragment, OrdersDocument } from "@carillon/shared/generated/graphql";
import { Fault } from "@carillon/shared/parts/Fault";
import { OrderCard } from "@carillon/shared/parts/OrderCard";

import { useCachedQuery } from "./useCachedQuery";
import { useAppWords } from "./words";

const PAGE = 20;

export function OrdersTab({ member }: { member: MemberStateFragment }) {
  const words = useAppWords();
  const { data, failure, isLoading, refetch } = useCachedQuery("orders", OrdersDocument, { first: PAGE, after: null }, member);
  const orders = data?.me?.orders.edges.map(({ node }) => node);
  return (
    <>
      {failure !== null && orders === undefined && <Fault failure={failure} onRetry={refetch} />}
      {orders?.length === 0 && <p className="empty">{words.noOrders}</p>}
      <ul className="stack" aria-busy={isLoading}>
        {orders?.map((order) => (
          <li key={order.id}>
            <OrderCard order={order} />
          </li>
        ))}
      </ul>
    </>
  );
}
